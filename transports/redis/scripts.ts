import { createHash } from 'node:crypto'
import type { Client } from './client.ts'
import type { Keys } from './keys.ts'

/** A program that Redis runs: nothing else happens there meanwhile. */
export interface Script {
  readonly text: string
  readonly sha: string
  /** The keys it uses, in its order. */
  readonly keys: readonly (keyof Keys)[]
}

const script = (keys: readonly (keyof Keys)[], text: string): Script => ({
  keys,
  text,
  sha: createHash('sha1').update(text).digest('hex'),
})

/**
 * A position as text that sorts as positions do: each of its numbers after a character for its length. No id has a NUL, so that
 * an id, a NUL and this sort by id first.
 */
const markFunction = `
local function mark(position)
  local ms, number = string.match(position, '^(%d+)-(%d+)$')
  return string.char(48 + #ms) .. ms .. string.char(48 + #number) .. number
end`

/** What differs between the ways to store a group, in Lua. */
interface Storing {
  /** What is done before the first update. */
  readonly prologue?: string
  /** The position of an update, or `'*'` for the next one there is. */
  readonly place: string
  /** How many arguments an update has behind its texts. They begin at `last + 1`. */
  readonly ownArguments: number
  /** What is done with an update once it is stored. */
  readonly epilogue?: string
  /** What says of an update that it is not to be stored. */
  readonly isRepeated?: string
  readonly result: string
}

const storing = ({
  prologue = '',
  place,
  ownArguments,
  isRepeated = 'false',
  epilogue = '',
  result,
}: Storing): string => `${markFunction}
local log, heads, ids, count, messages = unpack(KEYS)
local maxLength, at = tonumber(ARGV[1]), 5

local time = redis.call('TIME')
local oldest = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[2])
for _ = 1, tonumber(ARGV[4]) do
  redis.call('XADD', messages, 'MINID', '~', oldest, '*', 'm', ARGV[at])
  at = at + 1
end
${prologue}
local counted = redis.call('INCRBY', count, ARGV[3])
local number = counted - ARGV[3]
for index = 0, tonumber(ARGV[3]) - 1 do
  local bytes, first, last = ARGV[at], at + 2, at + 1 + ARGV[at + 1]
  local id = ARGV[first + 1]
  at = last + 1 + ${ownArguments}
  if not ${isRepeated} then
    number = number + 1
    local older = redis.call('ZRANGEBYLEX', ids, '[' .. id .. '\\0', '(' .. id .. '\\1', 'LIMIT', 0, 1)
    local position = ${place}
    if older[1] then
      position = redis.pcall('XADD', log, position, 'number', number, 'reused', 1, unpack(ARGV, first, last))
    else
      position = redis.pcall('XADD', log, position, 'number', number, unpack(ARGV, first, last))
    end
    if position.err then
      -- What is not stored is not counted.
      redis.call('INCRBY', count, number - 1 - counted)
      return position
    end
    redis.call('XADD', heads, position, 'id', id, 'bytes', bytes)
    redis.call('ZADD', ids, 0, id .. '\\0' .. mark(position))
    ${epilogue}
  end
end
if number < counted then redis.call('INCRBY', count, number - counted) end

if maxLength > 0 then redis.call('XTRIM', log, 'MAXLEN', '~', maxLength) end
-- What has left the log, by whoever's hand, leaves the indexes: so much at a time that nobody waits for it.
if redis.call('XLEN', heads) > redis.call('XLEN', log) then
  local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  local gone = redis.call('XRANGE', heads, '-', oldest and '(' .. oldest[1] or '+', 'COUNT', 2000)
  for _, head in ipairs(gone) do redis.call('ZREM', ids, head[2][2] .. '\\0' .. mark(head[1])) end
  if #gone == 2000 then
    redis.call('XTRIM', heads, 'MINID', gone[#gone][1])
    redis.call('XDEL', heads, gone[#gone][1])
  elseif oldest then
    redis.call('XTRIM', heads, 'MINID', oldest[1])
  else
    redis.call('XTRIM', heads, 'MAXLEN', 0)
  end
end
return ${result}`

const everyKey = ['log', 'heads', 'ids', 'count', 'messages'] as const

/**
 * Stores a group: `maxLength, messageAgeMs, updates, messages`, then each message, then for each update its size in bytes, how many texts its
 * fields are, these, the id first, then for how many milliseconds its key is remembered, 0 where it has none, and the fingerprint. Those keys
 * follow the others, in the same order. Gives for each update that is not stored, since its key is remembered, its index and what is remembered.
 */
export const append = script(
  everyKey,
  storing({
    prologue: `
local remembered, nextKey = {}, ${everyKey.length + 1}
local function isRepeated(index, rememberMs)
  if rememberMs == '0' then return false end
  local known = redis.call('GET', KEYS[nextKey])
  if known then
    remembered[#remembered + 1], remembered[#remembered + 2] = index, known
    nextKey = nextKey + 1
  end
  return known
end`,
    place: "'*'",
    ownArguments: 2,
    isRepeated: 'isRepeated(index, ARGV[last + 1])',
    epilogue: `if ARGV[last + 1] ~= '0' then
      redis.call('SET', KEYS[nextKey], ARGV[last + 2] .. ' ' .. id, 'PX', ARGV[last + 1])
      nextKey = nextKey + 1
    end`,
    result: 'remembered',
  }),
)

/**
 * Changes nothing, and fails where `append` would: each command that it needs is run in a form that does nothing. What the user may not do has
 * the command's name behind it, which not every Redis tells.
 */
export const rehearse = script(
  everyKey,
  `
local log, heads, ids, count, messages = unpack(KEYS)
local most = '9223372036854775807'
local commands = {
  { 'TIME' },
  { 'INCRBY', count, 0 },
  { 'XADD', heads .. ':none', 'NOMKSTREAM', '*', 'a', 'b' },
  { 'XTRIM', log, 'MAXLEN', most },
  { 'XTRIM', heads, 'MAXLEN', most },
  { 'XTRIM', messages, 'MAXLEN', most },
  { 'XDEL', heads, '0-1' },
  { 'ZADD', ids, 'XX', 0, '' },
  { 'ZREM', ids, '' },
  { 'ZRANGEBYLEX', ids, '[', '(', 'LIMIT', 0, 1 },
  { 'GET', heads .. ':none' },
  { 'SET', heads .. ':none', '', 'PX', 1, 'XX' },
  { 'XLEN', log },
  { 'XRANGE', heads, '-', '-' },
  { 'EXISTS', log },
}
for _, command in ipairs(commands) do
  local answer = redis.pcall(unpack(command))
  if type(answer) == 'table' and answer.err then return { err = answer.err .. ' (' .. command[1] .. ')' } end
end
for _, key in ipairs({ log, heads }) do
  local facts = redis.call('EXISTS', key) == 1 and redis.call('XINFO', 'STREAM', key) or {}
  for i = 1, #facts, 2 do
    if facts[i] == 'last-generated-id' and facts[i + 1] == '18446744073709551615-18446744073709551615' then
      return { err = 'ERR The stream has exhausted the last possible ID' }
    end
  end
end
return 1`,
)

/**
 * The same for updates of another log: after the texts of each, when it was stored there, in milliseconds, or nothing. Positions are times and go
 * forward: what is older than the newest entry, or newer than now, gets the next place that there is. Gives how many that were.
 */
export const insert = script(
  everyKey,
  storing({
    prologue: `
local now, lastMs, lastNumber, displaced = time[1] * 1000 + math.floor(time[2] / 1000), 0, 0, 0
for _, key in ipairs({ log, heads }) do
  local facts = redis.call('EXISTS', key) == 1 and redis.call('XINFO', 'STREAM', key) or {}
  for i = 1, #facts, 2 do
    if facts[i] == 'last-generated-id' then
      local ms, number = string.match(facts[i + 1], '^(%d+)-(%d+)$')
      ms, number = tonumber(ms), tonumber(number)
      if ms > lastMs or (ms == lastMs and number > lastNumber) then lastMs, lastNumber = ms, number end
    end
  end
end
local function place(given)
  local ms = math.min(tonumber(given) or now, now)
  if ms > lastMs then lastMs, lastNumber = ms, 0 else lastNumber = lastNumber + 1 end
  if tonumber(given) and lastMs ~= tonumber(given) then displaced = displaced + 1 end
  return string.format('%.0f-%.0f', lastMs, lastNumber)
end
`,
    place: 'place(ARGV[last + 1])',
    ownArguments: 1,
    result: 'displaced',
  }),
)

/** The type of each key, in the order of `keys`. */
export const inspectTypes = script(
  [...everyKey, 'records'],
  `
local types = {}
for i, key in ipairs(KEYS) do types[i] = redis.call('TYPE', key).ok end
return types`,
)

/** How many updates have ever been stored, and the positions of the newest update and message, or false. */
export const inspectEnd = script(
  ['count', 'log', 'messages'],
  `
local update = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local message = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
return { redis.call('GET', KEYS[1]) or '0', update and update[1] or false, message and message[1] or false }`,
)

/** The position of the earliest update with an id, or false. */
export const find = script(
  ['log', 'ids', 'heads'],
  `${markFunction}
local oldest, head = unpack(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)), unpack(redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1))
-- Nothing is read without its head.
if not oldest or not head then return false end
local first, id = mark(oldest[1]), ARGV[1]
if mark(head[1]) > first then first = mark(head[1]) end
local found = redis.call('ZRANGEBYLEX', KEYS[2], '[' .. id .. '\\0' .. first, '(' .. id .. '\\1', 'LIMIT', 0, 1)[1]
if not found then return false end
local ms, rest = string.byte(found, #id + 2) - 48, #id + 3
return string.sub(found, rest, rest + ms - 1) .. '-' .. string.sub(found, rest + ms + 1)`,
)

/** Redis forgets scripts when it restarts, and learns them by the way. */
export async function run(
  client: Client,
  { text, sha, keys }: Script,
  names: Keys,
  args: readonly (string | Buffer)[],
  moreKeys: readonly string[] = [],
) {
  const allKeys = [...keys.map(key => names[key]), ...moreKeys]
  const parameters = [allKeys.length, ...allKeys, ...args] as const
  try {
    return await client.evalsha(sha, ...parameters)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return await client.eval(text, ...parameters)
  }
}
