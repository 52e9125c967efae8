-- Copyright The Countersign Authors.
-- SPDX-License-Identifier: Apache-2.0

-- What the buttons of a Release in Argo CD can do now: what a Release can be asked
-- for by whoever may write it. Votes, break-glass and reviews are of people, with
-- credentials of their own, so that there is no button for them.

local status = obj.status or {}
local candidate = status.candidate
local active = status.active
local origin = status.origin

local paused = obj.spec.paused == true
local halted = ""
if candidate ~= nil and candidate.halted ~= nil then
  halted = candidate.halted.reason
end
local retryable = {CheckFailed = true, ProgressDeadlineExceeded = true, Aborted = true}

-- What was marked irreversible is gone back from by somebody who says that they know.
local back = active ~= nil and not active.irreversible and
  (status.former ~= nil or origin ~= nil and origin.leftAt == nil)

return {
  ["pause"] = {displayName = "Pause", disabled = paused},
  ["resume"] = {displayName = "Resume", disabled = not paused},
  ["abort"] = {displayName = "Give the candidate up", disabled = candidate == nil or halted ~= ""},
  ["retry"] = {displayName = "Try the candidate again", disabled = not retryable[halted]},
  ["rollback"] = {displayName = "Go back", disabled = not back},
  ["restart"] = {displayName = "Restart the Pods that serve", disabled = active == nil},
}
