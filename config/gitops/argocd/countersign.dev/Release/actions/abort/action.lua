-- Copyright The Countersign Authors.
-- SPDX-License-Identifier: Apache-2.0

-- The candidate by its digest or, before there is one, by its number.
local candidate = obj.status.candidate
local name = candidate.digest or ""
if name == "" then
  name = tostring(candidate.sequence)
end

obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["countersign.dev/abort"] = name
return obj
