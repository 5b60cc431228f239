// The text of the scripts, in Redis's Lua. A replica is seen lately for 30 s after its last sign of life, and
// remembered for 10 minutes, so that one that was cut off for a while finds its sessions counted again.
#pragma once

#include <string_view>

namespace gatepost::backends {

/// In front of those that need the time: ARGV[1] is the clock, "" = Redis's own.
inline constexpr std::string_view kClockLua = R"lua(
local now
if ARGV[1] == '' then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
else
    now = tonumber(ARGV[1])
end
)lua";

/// Behind kClockLua. KEYS: one a question, then that of the replicas if one is about sessions. ARGV: clock,
/// field, then of each question: kind (capital = binding), and in grains its cost, an event, what wears off
/// each microsecond, the burst, and the burst with its debt. Returns of each: 0 refused, 1 done, 2 fits and
/// is not counted; then the level before, and the level now.
inline constexpr std::string_view kLimitLua = R"lua(
local field = ARGV[2]
local questions = (#ARGV - 2) / 6
local replicas = KEYS[questions + 1]

local function there_now(key)
    local sum = 0
    local all = redis.call('HGETALL', key)
    local own = string.match(field, '^[^/]*')
    for i = 1, #all, 2 do
        local replica = string.match(all[i], '^[^/]*')
        local seen = replica == own and now or redis.call('ZSCORE', replicas, replica)
        if not seen then
            redis.call('HDEL', key, all[i])
        elseif tonumber(seen) > now - 30000000 then
            sum = sum + all[i + 1]
        end
    end
    return sum
end

local levels, fits, is_changed = {}, {}, {}
local all_fit = true
for i = 1, questions do
    local a = 6 * i - 3
    local kind = ARGV[a]
    local level = 0
    if kind == 'E' or kind == 'e' or kind == 'l' then
        level = there_now(KEYS[i])
    else
        local value = redis.call('GET', KEYS[i])
        local left, at, event
        if value then left, at, event = string.match(value, '^(%d+) (%d+) (%d+)$') end
        if left then
            if event ~= ARGV[a + 2] then left = math.ceil(left * ARGV[a + 2] / event) end
            local deepest = tonumber(ARGV[a + 5])
            level = left - ARGV[a + 3] * (now - at)
            if level > deepest then
                level = deepest
                is_changed[i] = true
            elseif level < 0 then
                level = 0
            end
        end
    end
    levels[i] = level
    fits[i] = level + ARGV[a + 1] <= tonumber(ARGV[a + 4])
    if not fits[i] and (kind == 'C' or kind == 'E') then all_fit = false end
end

local function whole(number)
    return number < 9007199254740992 and number or string.format('%.0f', number)
end

local answer = {}
for i = 1, questions do
    local a = 6 * i - 3
    local kind = ARGV[a]
    local cost = tonumber(ARGV[a + 1])
    local level = levels[i]
    local result = fits[i] and 1 or 0
    if kind == 'C' or kind == 'c' then
        if fits[i] and all_fit then
            level = level + cost
            is_changed[i] = true
        elseif fits[i] then
            result = 2
        end
    elseif kind == 'r' then
        level = math.min(level + cost, tonumber(ARGV[a + 5]))
        is_changed[i] = true
    elseif kind == 't' then
        result = 1
        is_changed[i] = level > 0
        level = math.max(level - cost, 0)
    elseif kind == 'E' or kind == 'e' then
        if fits[i] and all_fit then
            redis.call('HINCRBY', KEYS[i], field, cost)
            redis.call('PEXPIRE', KEYS[i], 86400000)
            level = level + cost
        elseif fits[i] then
            result = 2
        end
    elseif kind == 'l' then
        result = 1
        local held = tonumber(redis.call('HGET', KEYS[i], field) or 0)
        local leaving = math.min(held, cost)
        if held > leaving then
            redis.call('HINCRBY', KEYS[i], field, -leaving)
        elseif held > 0 then
            redis.call('HDEL', KEYS[i], field)
        end
        level = level - leaving
    end
    if is_changed[i] then
        if level == 0 then
            redis.call('DEL', KEYS[i])
        else
            local left = math.min(math.ceil(level / ARGV[a + 3] / 1000), 315360000000)
            if ARGV[1] ~= '' then left = left + 3600000 end
            redis.call('SET', KEYS[i], string.format('%.0f %.0f %s', level, now, ARGV[a + 2]), 'PX', left)
        end
    end
    answer[3 * i - 2] = result
    answer[3 * i - 1] = whole(levels[i])
    answer[3 * i] = whole(level)
end
return answer
)lua";

/// Behind kClockLua. Who was seen later than now was seen before the clock jumped back.
inline constexpr std::string_view kHeartbeatLua = R"lua(
local function text(time) return string.format('%.0f', time) end
for _, replica in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], text(now + 1000000), '+inf')) do
    redis.call('ZADD', KEYS[1], text(now), replica)
end
redis.call('ZADD', KEYS[1], text(now), ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - 600000000))
redis.call('PEXPIRE', KEYS[1], 3600000)
return redis.call('ZCOUNT', KEYS[1], '(' .. text(now - 30000000), '+inf')
)lua";

inline constexpr std::string_view kRestateLua = R"lua(
for i = 1, #KEYS do
    if ARGV[i + 1] == '0' then
        redis.call('HDEL', KEYS[i], ARGV[1])
    else
        redis.call('HSET', KEYS[i], ARGV[1], ARGV[i + 1])
        redis.call('PEXPIRE', KEYS[i], 86400000)
    end
end
return #KEYS
)lua";

inline constexpr std::string_view kForgetLua = R"lua(
local gone = 0
if redis.call('TYPE', KEYS[1]).ok == 'string' then gone = gone + redis.call('DEL', KEYS[1]) end
if redis.call('TYPE', KEYS[2]).ok == 'hash' then gone = gone + redis.call('DEL', KEYS[2]) end
return gone
)lua";

/// Behind kClockLua.
inline constexpr std::string_view kShowLua = R"lua(
local answer = {}
for i = 2, #KEYS do
    local kind = redis.call('TYPE', KEYS[i]).ok
    local shown = 0
    local is_of_sessions = string.sub(KEYS[i], 1, 18) == 'gatepost:sessions:'
    if kind == 'string' and not is_of_sessions then
        shown = math.max(redis.call('PTTL', KEYS[i]), 0)
    elseif kind == 'hash' and is_of_sessions then
        local all = redis.call('HGETALL', KEYS[i])
        for j = 1, #all, 2 do
            local seen = redis.call('ZSCORE', KEYS[1], string.match(all[j], '^[^/]*'))
            if seen and tonumber(seen) > now - 30000000 then shown = shown + all[j + 1] end
        end
    end
    answer[i - 1] = shown
end
return answer
)lua";

}  // namespace gatepost::backends
