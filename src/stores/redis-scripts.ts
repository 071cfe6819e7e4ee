/*
 * One hash per user, sid → record; so one key is all that a script touches, as Redis Cluster requires. A record is a JSON
 * array, because names in every record would cost a third more memory:
 * [createdAt, lastSeenAt, expiresAt, remember (0 or 1), order, replacedAt, current, previous, retired, userAgent]
 * `order` tells which of the logins of one millisecond was first; `retired` is text, "digest time digest time".
 *
 * Whether a record is there is judged by the caller's clock, ARGV[1]. Redis removes the whole hash a minute after its last
 * record has expired; single records that expire before the last one leave when the user's hash is written to.
 */

const PRELUDE = `
local CREATED, SEEN, EXPIRES, REMEMBER, ORDER, REPLACED, CURRENT, PREVIOUS, RETIRED = 1, 2, 3, 4, 5, 6, 7, 8, 9
local key, now, sid = KEYS[1], tonumber(ARGV[1]), ARGV[2]

local function read()
  local text = redis.call('HGET', key, sid)
  local record = text and cjson.decode(text)
  return record and record[EXPIRES] > now and record
end

-- Calls visit(sid, record) for each of the user's live records.
local function each(visit)
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local record = cjson.decode(all[i + 1])
    if record[EXPIRES] > now then visit(all[i], record) end
  end
end

-- Drops expired records and sets when Redis drops the hash. Looks at 16 records, so that it costs the same for everyone.
local function tidy(latest)
  local some = redis.call('HRANDFIELD', key, 16, 'WITHVALUES')
  for i = 1, #some, 2 do
    local expires = cjson.decode(some[i + 1])[EXPIRES]
    if expires <= now then redis.call('HDEL', key, some[i]) else latest = math.max(latest, expires) end
  end
  local remaining = latest - now + 60000
  if #some < 32 or remaining > redis.call('PTTL', key) then redis.call('PEXPIRE', key, remaining) end
end

local function write(record)
  redis.call('HSET', key, sid, cjson.encode(record))
  tidy(record[EXPIRES])
end
`

/** ARGV: now, sid, record, maxLogins or '', the sids it replaces. Answers with the sids that had to make room. */
export const CREATE = PRELUDE + `
local record, max = cjson.decode(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
record[ORDER] = time[1] % 10000 * 1000000 + time[2]
for i = 5, #ARGV do redis.call('HDEL', key, ARGV[i]) end

local ended = {}
if max then
  local others = {}
  each(function (other, its)
    if other ~= sid then others[#others + 1] = { sid = other, created = its[CREATED], order = its[ORDER] } end
  end)
  table.sort(others, function (a, b)
    if a.created ~= b.created then return a.created > b.created end
    return a.order > b.order
  end)
  for i = max, #others do
    redis.call('HDEL', key, others[i].sid)
    ended[#ended + 1] = others[i].sid
  end
end
write(record)
return ended
`

/** ARGV: now, sid, lastSeenAt, expiresAt. */
export const TOUCH = PRELUDE + `
local record = read()
if not record then return end
record[SEEN] = math.max(record[SEEN], tonumber(ARGV[3]))
record[EXPIRES] = math.max(record[EXPIRES], tonumber(ARGV[4]))
write(record)
`

/** ARGV: now, sid, presented, next or '', grace in milliseconds, lastSeenAt, expiresAt. The rules are those of rotation.ts. */
export const ROTATE = PRELUDE + `
local record = read()
if not record then return 'gone' end
local presented, following, grace = ARGV[3], ARGV[4], tonumber(ARGV[5])

local retired, justRetired = {}, false
for digest, at in string.gmatch(record[RETIRED], '(%S+) (%S+)') do
  if now - tonumber(at) <= grace then
    retired[#retired + 1] = digest .. ' ' .. at
    justRetired = justRetired or digest == presented
  end
end

local verdict = justRetired and 'grace' or 'reuse'
if presented == record[CURRENT] then
  verdict = 'rotated'
elseif presented == record[PREVIOUS] then
  verdict = now - record[REPLACED] <= grace and 'grace' or 'rotated'
end
if verdict == 'rotated' and following == '' then verdict = 'grace' end

if verdict == 'reuse' then
  each(function (other, its)
    if its[REMEMBER] == 1 then redis.call('HDEL', key, other) end
  end)
  tidy(0)
  return verdict
end

if verdict == 'rotated' then
  if presented == record[CURRENT] then
    if record[PREVIOUS] ~= cjson.null then retired[#retired + 1] = record[PREVIOUS] .. ' ' .. ARGV[1] end
    if #retired > 16 then table.remove(retired, 1) end
    record[PREVIOUS] = presented
  end
  record[CURRENT], record[REPLACED], record[RETIRED] = following, now, table.concat(retired, ' ')
  record[EXPIRES] = math.max(record[EXPIRES], tonumber(ARGV[7]))
end
record[SEEN] = math.max(record[SEEN], tonumber(ARGV[6]))
write(record)
return verdict
`

/** ARGV: now, sid. Whether there was one. */
export const DELETE = PRELUDE + `
local there = read() and 1 or 0
redis.call('HDEL', key, sid)
tidy(0)
return there
`

/** Answers with sid, record, sid, record, …, in one shape for both clients, which HGETALL itself has not. */
export const LIST = "return redis.call('HGETALL', KEYS[1])"

/** ARGV: now, sid to keep or ''. Answers with the sids that ended. */
export const DELETE_ALL = PRELUDE + `
local ended = {}
each(function (other)
  if other == sid then return end
  redis.call('HDEL', key, other)
  ended[#ended + 1] = other
end)
tidy(0)
return ended
`
