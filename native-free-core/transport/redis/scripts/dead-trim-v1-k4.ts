import { defineScript } from '../redis-script.js'
import { COUNT_GROUP, REMOVE_DEAD, TRIM_DEAD } from './dead-letter-parts.js'
import { checkTypes, NOW_MS } from './lua-parts.js'

/**
 * Drops the oldest dead letters beyond the bounds.
 *
 * - KEYS: dead, bodies and groups of the dead letters, ctl
 * - ARGV: bounds: entries, bytes, age in ms; how many to drop at most
 * - returns: how many were dropped
 */
export const DEAD_TRIM = defineScript(
  'dead-trim-v1-k4',
  `
#!lua flags=allow-oom
${checkTypes(['stream', 'hash', 'hash', 'hash'])}
${COUNT_GROUP}
${REMOVE_DEAD}
${TRIM_DEAD}
${NOW_MS}
return trimDead(KEYS, tonumber(ARGV[1]), tonumber(ARGV[2]), now - ARGV[3], tonumber(ARGV[4]))
`,
)
