import { BatchEncoder, MAX_BATCH_SAMPLES } from '#core/codec/batch-codec'
import { parseTask } from '#core/codec/task-json'
import { toPortableError } from '#core/errors/telemetry-error'
import { createColumns, type SampleColumns } from '#core/model/columns'
import { PRIORITY_NAMES, type Priority } from '#core/model/priority'
import { QUALITY } from '#core/model/quality'
import type { SeriesDescriptor } from '#core/model/series'
import { shardOf } from '#core/model/shard'
import type { TelemetryTask } from '#core/model/task'
import { highWaterKey, type IngestReply, type IngestRequest } from '#core/protocol/handler-messages'
import type { SealedBatch } from '#core/transport/batch-stream'

/** Accepted tasks of one numbering, in order of arrival. */
interface Group {
  shard: number
  priority: Priority
  handler: string
  /** Name of the numbering: the request's producer with handler and priority. */
  producer: string
  highWaterSeq: number
  tasks: { seq: number; task: TelemetryTask }[]
}

/**
 * Turns pushed tasks into sealed batches: one per (shard of the device, priority, handler), whose samples are the
 * channels of its tasks in order of arrival. Tasks up to the known high water of their numbering give nothing, so that a
 * request made again after a crash makes no sample twice. A task that cannot be read is rejected and disturbs no other.
 *
 * Should a group have more samples than a batch may, it becomes several batches, cut between tasks, each with the one
 * before as its `after`: they must be appended in the order of the reply.
 *
 * @param nowUs time of tasks that have none
 * @throws TLM_INVARIANT_BROKEN the producer's name is longer than 55 characters, which leaves too few for handler and
 *   priority
 */
export function ingestTasks(request: IngestRequest, nowUs: number): IngestReply {
  const groups = new Map<string, Group>()
  const rejected: IngestReply['rejected'] = []
  for (const { id, seq, offset, length } of request.entries) {
    try {
      const task = parseTask(request.bodies.subarray(offset, offset + length), nowUs)
      const group = groupOf(groups, request, task)
      if (seq > group.highWaterSeq) group.tasks.push({ seq, task })
    } catch (error) {
      rejected.push({ id, error: toPortableError(error, 'TLM_TASK_INVALID') })
    }
  }
  const encoder = new BatchEncoder()
  const batches = [...groups.values()].flatMap((group) => sealGroup(group, request.epoch, encoder))
  return { batches, rejected }
}

function groupOf(groups: Map<string, Group>, request: IngestRequest, task: TelemetryTask): Group {
  const { type: handler, priority, device } = task
  const shard = shardOf(device, request.shards)
  const producer = `${request.producer}.${handler}.${PRIORITY_NAMES[priority]}`
  const key = highWaterKey(producer, shard)
  let group = groups.get(key)
  if (group === undefined) {
    const highWaterSeq = request.highWaterSeqs.get(key) ?? 0
    group = { shard, priority, handler, producer, highWaterSeq, tasks: [] }
    groups.set(key, group)
  }
  return group
}

function sealGroup(group: Group, epoch: number, encoder: BatchEncoder): SealedBatch[] {
  const batches: SealedBatch[] = []
  let after = group.highWaterSeq
  for (let from = 0; from < group.tasks.length; ) {
    const to = endOfBatch(group.tasks, from)
    const batch = sealBatch(group, from, to, epoch, after, encoder)
    batches.push(batch)
    after = batch.seq
    from = to
  }
  return batches
}

/** One past the last task whose samples still fit one batch with those from `from` on. */
function endOfBatch(tasks: Group['tasks'], from: number): number {
  let samples = 0
  for (let at = from; at < tasks.length; at++) {
    samples += tasks[at].task.channels.length
    if (samples > MAX_BATCH_SAMPLES) return at
  }
  return tasks.length
}

function sealBatch(
  { shard, priority, handler, producer, tasks }: Group,
  from: number,
  to: number,
  epoch: number,
  after: number,
  encoder: BatchEncoder,
): SealedBatch {
  const { columns, series } = toColumns(tasks.slice(from, to).map(({ task }) => task))
  const rows = Uint32Array.from({ length: columns.count }, (_, row) => row)
  const header = { producer, epoch, seq: tasks[to - 1].seq }
  const { body, samples, firstTakenAtUs } = encoder.encode(
    header,
    series,
    columns,
    rows,
    0,
    rows.length,
    Number.MAX_SAFE_INTEGER,
  )
  return { ...header, shard, priority, handler, after, samples, firstTakenAtUs, body }
}

/** Series are told apart by their unit too: two senders of one channel may measure in different ones. */
function toColumns(tasks: readonly TelemetryTask[]): { columns: SampleColumns; series: SeriesDescriptor[] } {
  const columns = createColumns(tasks.reduce((sum, { channels }) => sum + channels.length, 0))
  const series: SeriesDescriptor[] = []
  const ids = new Map<string, number>()
  for (const { device, takenAtUs, sequence, channels, raw } of tasks) {
    if (raw !== undefined) columns.raw.set(columns.count, raw)
    for (const { channel, unit, value } of channels) {
      const key = JSON.stringify([device, channel, unit])
      const id = ids.get(key) ?? series.push({ device, channel, unit }) - 1
      ids.set(key, id)
      const row = columns.count++
      columns.series[row] = id
      columns.values[row] = value
      columns.takenAtUs[row] = takenAtUs
      columns.sequences[row] = sequence
      columns.qualities[row] = QUALITY.good
    }
  }
  return { columns, series }
}
