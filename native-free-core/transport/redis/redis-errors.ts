import { TelemetryError } from '../../errors/telemetry-error.js'

/**
 * What an error of Redis, of ioredis or of the socket means for the caller.
 *
 * - `unavailable`: nothing is known of what became of the command; try again
 * - `full`: certainly not done, memory or disk is exhausted; passes with time
 * - `misconfigured`: certainly not done, an operator has to act
 * - `no-script`: the script cache was flushed
 * - `no-group`: the consumer group or its stream is gone
 */
export type RedisTrouble = 'unavailable' | 'full' | 'misconfigured' | 'no-script' | 'no-group'

const TROUBLES: Readonly<Record<string, RedisTrouble>> = {
  OOM: 'full',
  MISCONF: 'full', // Redis cannot write its files
  NOSCRIPT: 'no-script',
  NOGROUP: 'no-group',
  UNBLOCKED: 'no-group',
  WRONGTYPE: 'misconfigured',
  WRONGPASS: 'misconfigured',
  NOAUTH: 'misconfigured',
  NOPERM: 'misconfigured',
  MOVED: 'misconfigured', // a node of a cluster where a single server was expected
  ERR: 'misconfigured', // a command or an argument that this server does not know
}

const FIXES: Readonly<Record<string, string>> = {
  OOM: 'let consumers drain it, or raise maxmemory',
  MISCONF: 'free disk space on the Redis host',
  WRONGTYPE: 'delete or rename the key, or choose another queue name',
  WRONGPASS: 'correct redis.username and redis.password',
  NOAUTH: 'set redis.password',
  NOPERM: 'grant the ACL user the commands and keys that docs/redis.md lists',
  MOVED: 'set redis.cluster to some nodes of the cluster, or grant the user INFO so that it is recognised',
  READONLY: 'name the primary, or set redis.sentinels and redis.sentinel_name',
  NOREPLICAS: 'connect replicas, or lower min-replicas-to-write',
  CLUSTERDOWN: 'redis-cli --cluster check, then fix',
  // The keys of a slot that is being moved are in two places: it passes by itself.
  ASK: '',
  TRYAGAIN: '',
}

/** Errors of TLS that a retry cannot mend: certificates, and a server that does not speak TLS. */
const TLS_CODE = /^ERR_(TLS|SSL)|CERT|^UNABLE_TO|^EPROTO$/

/** Error codes of a server that is up but cannot serve this client: the address has to be resolved again. */
const MOVED_AWAY = /^(READONLY|MASTERDOWN|CLUSTERDOWN|UNBLOCKED)\b/

export function troubleOf(error: unknown): RedisTrouble {
  const text = textOf(error)
  if (/^ERR max number of clients/.test(text)) return 'unavailable'
  if (TLS_CODE.test(codeOf(error))) return 'misconfigured'
  return TROUBLES[firstWord(text)] ?? 'unavailable'
}

/** Whether the command never left this process: its connection was known to be closed. */
export function wasNotSent(error: unknown): boolean {
  return /^Stream isn't writeable/.test(textOf(error))
}

/** Whether the ACL, or a renamed command, forbids to ask. */
export function isDenied(error: unknown): boolean {
  return /^(NOPERM|ERR unknown command)/.test(textOf(error))
}

/** Whether a node says that another one holds the slot: it has done nothing. */
export function isMoved(error: unknown): boolean {
  return firstWord(textOf(error)) === 'MOVED'
}

/** Whether a new connection is needed before the next command can succeed. */
export function needsNewConnection(error: unknown): boolean {
  return MOVED_AWAY.test(textOf(error))
}

/**
 * The error to throw: `TLM_STREAM_MISCONFIGURED` or `TLM_STREAM_UNAVAILABLE`, with its {@link RedisTrouble} in
 * `details.trouble`. It never shows a password or the arguments of a command, and carries no cause: ioredis hangs the
 * arguments on its errors, and those of AUTH are credentials.
 *
 * @param isCluster a redirection is part of life then, and stands in `details.moved`
 */
export function toTelemetryError(error: unknown, where: string, isCluster = false): TelemetryError {
  if (error instanceof TelemetryError) return error
  if (isCluster && isMoved(error)) {
    const moved = textOf(error)
    return new TelemetryError('TLM_STREAM_UNAVAILABLE', `${where}: ${moved}.`, { trouble: 'unavailable', moved })
  }
  const trouble = troubleOf(error)
  const code = trouble === 'misconfigured' ? 'TLM_STREAM_MISCONFIGURED' : 'TLM_STREAM_UNAVAILABLE'
  return new TelemetryError(code, explain(error, trouble, where), { trouble })
}

/** What an append or a push says when its command failed. */
export type WriteFailure =
  | { kind: 'unavailable'; message: string }
  | { kind: 'refused'; reason: 'full' | 'misconfigured'; message: string }

/** A failed write as a value. Codes without a trouble come from the look at the server that precedes all commands. */
export function writeFailure({ code, message, details }: TelemetryError): WriteFailure {
  if (details.trouble === 'full') return { kind: 'refused', reason: 'full', message }
  return code === 'TLM_STREAM_MISCONFIGURED'
    ? { kind: 'refused', reason: 'misconfigured', message }
    : { kind: 'unavailable', message }
}

/** What went wrong and what to do, in one line. */
function explain(error: unknown, trouble: RedisTrouble, where: string): string {
  const text = textOf(error)
  const tlsFix = TLS_CODE.test(codeOf(error)) && 'check redis.tls, the certificate and NODE_EXTRA_CA_CERTS'
  const usual = trouble === 'unavailable' ? 'start it, or check host, port and tls' : ''
  const fix = tlsFix || (FIXES[firstWord(text)] ?? usual)
  return `${where}: ${text || codeOf(error)}.${fix ? ` Fix: ${fix}.` : ''}`
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  // "unknown command 'AUTH', with args beginning with: 'the password'"
  return text
    .split(/,? with args beginning with/)[0]
    .slice(0, 300)
    .replace(/\.$/, '')
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : ''
}

function firstWord(text: string): string {
  return text.split(' ', 1)[0]
}
