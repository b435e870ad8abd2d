-- Sends the requests of a file once each, as fast as the connections take them, and says how long that took.
-- The file: one request a line, tab-separated: method, path with query, then headers as "Name: value".
-- Prints "REPLAYED <answers> <refused> <seconds>" and ends the process when the last answer is there.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } timespec_of_replay;
  int clock_gettime(int clock, timespec_of_replay *now);
]]

local requests, sent, answered, refused, begun = {}, 0, 0, 0, 0

local function now()
  local at = ffi.new("timespec_of_replay")
  ffi.C.clock_gettime(1, at)
  return tonumber(at.seconds) + tonumber(at.nanoseconds) / 1e9
end

function init(arguments)
  for line in io.lines(arguments[1]) do
    local fields, headers = {}, {}
    for field in line:gmatch("[^\t]+") do fields[#fields + 1] = field end
    for index = 3, #fields do
      local name, value = fields[index]:match("^([^:]+): (.*)$")
      headers[name] = value
    end
    requests[#requests + 1] = wrk.format(fields[1], fields[2], headers)
  end
end

function request()
  if sent == 0 then begun = now() end
  sent = sent + 1
  return requests[sent] or requests[1]  -- connections that have run out ask for the first one again; it is not counted
end

function response(status)
  answered = answered + 1
  if status >= 400 then refused = refused + 1 end
  if answered == #requests then
    print(string.format("REPLAYED %d %d %.6f", answered, refused, now() - begun))
    os.exit(0)
  end
end
