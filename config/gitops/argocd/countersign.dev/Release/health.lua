-- Copyright The Countersign Authors.
-- SPDX-License-Identifier: Apache-2.0

-- The health of a Release in Argo CD. Waiting for people is Suspended: nothing is
-- wrong, and nothing moves by itself. Degraded is what people have to mend.

local function health(status, message)
  return {status = status, message = message}
end

local meta = obj.metadata
if meta.deletionTimestamp ~= nil then
  return health("Progressing", "it is being deleted")
end

local status = obj.status or {}
if status.observedGeneration ~= meta.generation then
  return health("Progressing", "the operator has not seen the newest spec yet")
end

local function condition(kind)
  for _, c in ipairs(status.conditions or {}) do
    if c.type == kind then
      return c
    end
  end
  return {}
end

local phase = status.phase or ""
local waits = status.waitingFor or ""
local message = phase
if waits ~= "" then
  message = phase .. ": waits for " .. waits
end

local stalled = condition("Stalled")
if stalled.status == "True" then
  return health("Degraded", stalled.reason .. ": " .. stalled.message)
end
local ready = condition("Ready")
if phase == "RollingBack" or ready.reason == "Unavailable" then
  return health("Degraded", ready.reason .. ": " .. ready.message)
end

local works = {Preparing = true, Testing = true, Switching = true, Observing = true}
if works[phase] then
  return health("Progressing", message)
end
if condition("Paused").status == "True" then
  return health("Suspended", condition("Paused").message)
end
if phase == "AwaitingApproval" then
  if (status.approvals or "") ~= "" then
    message = message .. " (" .. status.approvals .. " approvals)"
  end
  return health("Suspended", message)
end
if phase == "Stable" and waits == "" then
  return health("Healthy", ready.message)
end
return health("Progressing", message)
