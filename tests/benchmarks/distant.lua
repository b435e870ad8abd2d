-- What the distant server answers: two accounts whose listings are cut out of one file of entries of equal length.
-- Knows no request that the benchmarks do not send; keeps nothing but which names were copied anew after `/.now?changed=N`, and,
-- after `/.now?target=fills`, how many were copied: when all of them were, the target is full.
-- Set before by the configuration: `entries` (folder), `objects` (of each container), `containers` (names, by comma), `empty_body`.

local M = {}
local MODIFIED = "Sun, 01 Nov 2026 00:00:00 GMT"
local MOST = 5000
local NAME_AT, NAME_BYTES, ETAG_AT = __NAME_AT__, __NAME_BYTES__, __ETAG_AT__ -- places in an entry, from 0
local ENTRY_BYTES = __ENTRY_BYTES__
local EMPTY = '<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs></Blobs><NextMarker /></EnumerationResults>'
local now = ngx.shared.now
local files = {}

local function file_of(side)
  if not files[side] then files[side] = assert(io.open("__ENTRIES__/" .. side, "rb")) end
  return files[side]
end

local function read(side, first, count)
  local file = file_of(side)
  file:seek("set", first * ENTRY_BYTES)
  return file:read(count * ENTRY_BYTES)
end

-- The index of the first name that is not below `name`.
local function place_of(name, objects)
  local low, high = 0, objects
  while low < high do
    local middle = math.floor((low + high) / 2)
    local entry = read("source", middle, 1)
    if entry:sub(NAME_AT + 1, NAME_AT + NAME_BYTES) < name then low = middle + 1 else high = middle end
  end
  return low
end

-- Where a container's names begin among those of all: `box-003` has the fourth part of them.
local function base_of(container)
  return (tonumber(container:match("(%d+)$")) or 0) * __OBJECTS__
end

local function generation(account, container, index)
  local every = now:get("changed")
  if not every or (base_of(container) + index) % every ~= 0 then return "0" end
  if account == "source" then return "1" end
  return now:get(container .. "/" .. index) and "1" or "0"
end

-- The entries of [first, first + count), with the generations of now.
local function entries_of(account, container, first, count)
  local text, every = read(account, first, count), now:get("changed")
  if not every then return text end
  local parts, at = {}, 1
  local base = base_of(container)
  for index = math.ceil((base + first) / every) * every - base, first + count - 1, every do
    local place = (index - first) * ENTRY_BYTES + ETAG_AT + __GENERATION_AT__ + 1
    parts[#parts + 1] = text:sub(at, place - 1)
    parts[#parts + 1] = generation(account, container, index)
    at = place + 1
  end
  parts[#parts + 1] = text:sub(at)
  return parts
end

local function objects_of(account)
  if account == "target" and now:get("target") ~= "full" then return 0 end
  return __OBJECTS__
end

local function listing(account, container, asked)
  local objects, prefix = objects_of(account), asked.prefix or ""
  local low, high = 0, objects
  if prefix ~= "" and prefix ~= true then low, high = place_of(prefix, objects), place_of(prefix .. "\255", objects) end
  local from = asked.startFrom or asked.startfrom
  if from and from ~= true then low = math.max(low, place_of(from, objects)) end
  if asked.marker and asked.marker ~= true then low = math.max(low, tonumber(asked.marker:sub(2))) end
  local most = math.min(tonumber(asked.maxresults or MOST), MOST)
  local count = math.max(0, math.min(most, high - low))
  if count == 0 then return EMPTY end
  local following = low + count < high and "<NextMarker>i" .. (low + count) .. "</NextMarker>" or "<NextMarker />"
  return {
    '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://127.0.0.1/', account,
    '" ContainerName="', container, '"><Blobs>', entries_of(account, container, low, count), "</Blobs>", following,
    "</EnumerationResults>",
  }
end

local function answer(status, body)
  ngx.status = status
  if body then
    ngx.header["Content-Length"] = nil
    ngx.print(body)
  else
    ngx.header["Content-Length"] = 0
  end
  return ngx.exit(ngx.OK)
end

local function of_container(account, container, asked, method)
  if method == "PUT" then
    ngx.header["x-ms-error-code"] = "ContainerAlreadyExists"
    return answer(409, '<?xml version="1.0"?><Error><Code>ContainerAlreadyExists</Code><Message>It exists.</Message></Error>')
  end
  if asked.comp == "list" then
    ngx.sleep(__PAGE_SECONDS__)
    return answer(200, listing(account, container, asked))
  end
  ngx.header["ETag"] = '"0x8DE0000000000001"'
  ngx.header["Last-Modified"] = MODIFIED
  if asked.comp == "acl" then
    ngx.sleep(__OTHER_SECONDS__)
    return answer(200, '<?xml version="1.0" encoding="utf-8"?><SignedIdentifiers />')
  end
  ngx.header["x-ms-lease-status"] = "unlocked"
  ngx.header["x-ms-lease-state"] = "available"
  ngx.header["x-ms-has-immutability-policy"] = "false"
  ngx.header["x-ms-has-legal-hold"] = "false"
  return answer(200)
end

local function of_blob(account, container, name, asked, method)
  ngx.sleep(__OTHER_SECONDS__)
  local index = tonumber(name:match("^visit%-2026%-11%-(%d+)%-"))
  local condition = ngx.var.http_x_ms_source_if_match or ""
  local is_copy = method == "PUT" and not ngx.var.http_x_ms_blob_type and not asked.comp
  if is_copy and index and condition:match("0x8DC1") then now:set(container .. "/" .. index, true) end
  if is_copy and index and now:get("target") == "fills" and now:incr("copied", 1, 0) == M.total then now:set("target", "full") end
  local etag = __OWN_ETAG__
  if index then
    local letter = account == "source" and "C" or "D"
    etag = string.format('"0x8D%s%s%011d"', letter, generation(account, container, index), index)
  end
  ngx.header["ETag"] = etag
  ngx.header["Last-Modified"] = MODIFIED
  ngx.header["x-ms-request-server-encrypted"] = "true"
  if is_copy then
    ngx.header["x-ms-copy-status"] = "success"
    ngx.header["x-ms-copy-id"] = ngx.var.request_id
    return answer(202)
  end
  if method == "DELETE" then return answer(202) end
  if method == "PUT" then return answer(201) end
  ngx.header["Content-MD5"] = "__MD5__"
  ngx.header["Content-Type"] = "application/json"
  ngx.header["x-ms-blob-type"] = "BlockBlob"
  ngx.header["x-ms-creation-time"] = MODIFIED
  ngx.header["x-ms-lease-status"] = "unlocked"
  ngx.header["x-ms-lease-state"] = "available"
  ngx.header["x-ms-server-encrypted"] = "true"
  ngx.header["x-ms-access-tier"] = "Hot"
  ngx.header["x-ms-access-tier-inferred"] = "true"
  ngx.header["Content-Length"] = #M.body
  if method == "HEAD" then return ngx.exit(200) end
  ngx.print(M.body)
  return ngx.exit(ngx.OK)
end

function M.serve()
  local method, asked = ngx.req.get_method(), ngx.req.get_uri_args()
  ngx.req.discard_body()
  ngx.header["x-ms-request-id"] = ngx.var.request_id
  ngx.header["x-ms-version"] = ngx.var.http_x_ms_version
  local path = ngx.var.uri
  if path == "/.now" then
    if asked.target then now:set("target", asked.target) end
    if asked.changed then now:set("changed", tonumber(asked.changed)) end
    return answer(200, "so it is\n")
  end
  local account, rest = path:match("^/(%a+)/?(.*)$")
  if account ~= "source" and account ~= "target" then return answer(404) end
  if rest == "" then
    ngx.header["x-ms-sku-name"] = "Standard_LRS"
    ngx.header["x-ms-account-kind"] = "StorageV2"
    ngx.header["x-ms-is-hns-enabled"] = "false"
    if asked.restype == "account" then return answer(200) end
    ngx.sleep(__PAGE_SECONDS__)
    return answer(200, M.containers[account])
  end
  local container, name = rest:match("^([^/]+)/?(.*)$")
  if name == "" then return of_container(account, container, asked, method) end
  return of_blob(account, container, name, asked, method)
end

local function whole(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

M.body = whole("__ENTRIES__/body")
-- Of all containers together.
M.total = __OBJECTS__ * select(2, whole("__ENTRIES__/source-containers.xml"):gsub("<Container>", ""))
M.containers = { source = whole("__ENTRIES__/source-containers.xml"), target = whole("__ENTRIES__/target-containers.xml") }
return M
