-- Copyright The Countersign Authors.
-- SPDX-License-Identifier: Apache-2.0

-- The next number: any that is larger than the last one will do.
local active = obj.status.active
local number = 0
if active.restart ~= nil then
  number = active.restart.number
end
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["countersign.dev/restart"] = active.digest .. "/" .. tostring(number + 1)
return obj
