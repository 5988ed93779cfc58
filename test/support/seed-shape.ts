/**
 * The seed document's task, checked by code that shares nothing with the parser: what an older consumer was promised.
 *
 * @param line the text of one task
 * @returns what is not as in the seed, `undefined` when all is
 */
export function findSeedShapeProblem(line: string): string | undefined {
  const task = JSON.parse(line) as Record<string, unknown>
  const keys = Object.keys(task).join(' ')
  if (keys !== 'id type payload priority max_retries') return `the task's keys are ${keys}`
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(String(task.id))) {
    return `id is no UUID of version 4: ${task.id}`
  }
  if (typeof task.type !== 'string' || !task.type.startsWith('telemetry.')) return `type is ${task.type}`
  if (!['HIGH', 'NORMAL', 'LOW'].includes(task.priority as string)) return `priority is ${task.priority}`
  if (!Number.isInteger(task.max_retries) || (task.max_retries as number) < 0)
    return `max_retries is ${task.max_retries}`
  return findPayloadProblem(task.payload)
}

export function isSeedShaped(line: string): boolean {
  return findSeedShapeProblem(line) === undefined
}

const KNOWN = ['temperature', 'humidity', 'pressure', 'voltage', 'current']

function findPayloadProblem(payload: unknown): string | undefined {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) return 'payload is no object'
  const { device_id: device, timestamp, raw_data: raw, ...values } = payload as Record<string, unknown>
  // JSON.parse moves names that look like numbers to the front: their order cannot be seen here.
  const hasOrder = (name: string) => !/^\d+$/.test(name)
  const names = Object.keys(values)
  const ordered = [
    'device_id',
    'timestamp',
    ...KNOWN.filter((name) => name in values),
    ...names.filter((name) => !KNOWN.includes(name) && hasOrder(name)),
    ...(raw === undefined ? [] : ['raw_data']),
  ]
  if (Object.keys(payload).filter(hasOrder).join(' ') !== ordered.join(' '))
    return `the payload's keys are ${Object.keys(payload)}`
  if (names.length === 0) return 'the payload has no value'
  if (typeof device !== 'string' || device === '') return `device_id is ${device}`
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?Z$/.test(String(timestamp))) return `timestamp is ${timestamp}`
  if (Number.isNaN(Date.parse(String(timestamp)))) return `timestamp is no instant: ${timestamp}`
  const wrong = names.find((name) => typeof values[name] !== 'number')
  if (wrong !== undefined) return `${wrong} is no number`
  if (raw !== undefined && !/^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(String(raw))) {
    return 'raw_data is no base64'
  }
  return undefined
}
