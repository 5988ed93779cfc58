import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { BatchDecoder } from '#core/codec/batch-codec'
import type { HandlerEntryResult, HandlerReply, HandlerSpec } from '#core/protocol/handler-messages'
import type { BatchSample } from '#test/support/batches'
import { encodeBatch, requestOf } from '#test/support/encoded-batches'
import { repositoryFile } from '#test/support/repository'
import { ALL_ANALYSES, specOf } from '#test/support/shard-owner'
import { HandlerSet } from '#workers/handlers/handler-set'
import { ShardRunner } from '#workers/shard-runner'
import { MAX_DEAD_SAMPLES, type UserEntry, UserHandlers } from '#workers/user-handlers/user-handlers'

const POISON = 6666
const builtIn = new HandlerSet([...ALL_ANALYSES, 'telemetry.store'].map((type) => specOf(type)))
const moduleUrl = pathToFileURL(repositoryFile('test/fixtures/handlers/picky.mjs')).href

function picky(poison: readonly number[], type = 'test.picky'): HandlerSpec {
  return { type, options: { poison, type }, moduleUrl }
}

async function runnerOf(specs: readonly HandlerSpec[]): Promise<ShardRunner> {
  const decoder = new BatchDecoder()
  return new ShardRunner(builtIn, await UserHandlers.load(specs), (body) => decoder.decode(body))
}

/** `count` samples of one series, those at `bad` with the poisonous value. */
function samplesWith(count: number, bad: readonly number[]): BatchSample[] {
  const value = (row: number) => (bad.includes(row) ? POISON : row)
  return Array.from({ length: count }, (_, row) => ({ value: value(row), takenAtUs: 1e15 + row, sequence: row }))
}

function run(runner: ShardRunner, samples: readonly BatchSample[], entry: Partial<UserEntry> = {}): HandlerReply {
  const request = requestOf([encodeBatch(samples)], ['hub.1.0.1'], { checkpoint: true })
  Object.assign(request.entries[0], entry)
  return runner.run(request)
}

function deadRows({ dead = [] }: HandlerEntryResult): number[] {
  return dead.map(({ row }) => row)
}

const keyed = (reply: HandlerReply, handler: string) => reply.findings.filter((finding) => finding.handler === handler)

test('one bad sample among a thousand is left out alone, and the others take effect once', async () => {
  const runner = await runnerOf([picky([POISON])])
  const reply = run(runner, samplesWith(1000, [437]), { isolate: true })
  const [result] = reply.results
  assert.deepEqual([result.error, result.samples, deadRows(result)], [undefined, 999, [437]])
  const [{ body, error, device, channel, takenAtUs }] = result.dead!
  assert.match(error?.message ?? '', /no 6666/)
  assert.deepEqual([device, channel, takenAtUs], ['d', 'c', 1e15 + 437])
  const alone = new BatchDecoder().decode(body)
  assert.deepEqual([alone.count, alone.values[0], alone.sequences[0]], [1, POISON, 437])
  const found = keyed(reply, 'test.picky')
  assert.equal(new Set(found.map(({ key }) => key)).size, 999)
  assert.equal(found.length, 999)
  assert.equal(reply.findings.find(({ handler }) => handler === 'telemetry.analyze')?.body.count, 999)
  const stored = new BatchDecoder().decode(reply.chunks[0].body)
  assert.deepEqual([stored.count, stored.values.includes(POISON), reply.chunks[0].samples], [999, false, 999])
})

test('the state is that of the same samples without the bad one, in their order', async () => {
  const samples = samplesWith(500, [123])
  const isolated = run(await runnerOf([picky([POISON])]), samples, { isolate: true })
  const clean = run(await runnerOf([]), samples.toSpliced(123, 1))
  assert.deepEqual(isolated.rows, clean.rows)
})

test('without isolation, the batch fails as a whole and has no effect', async () => {
  const reply = run(await runnerOf([picky([POISON])]), samplesWith(10, [4]))
  assert.equal(reply.results[0].error?.code, 'TLM_HANDLER_FAILED')
  assert.deepEqual([reply.findings, reply.chunks, reply.rows], [[], [], new Map()])
})

test('what one handler cannot take is not shown to the next, and kept from the analyses', async () => {
  const runner = await runnerOf([picky([POISON], 'test.first'), picky([7], 'test.second')])
  const reply = run(runner, samplesWith(64, [20]), { isolate: true })
  assert.deepEqual(deadRows(reply.results[0]), [7, 20])
  assert.equal(keyed(reply, 'test.first').length, 63)
  assert.equal(keyed(reply, 'test.second').length, 62)
  assert.equal(reply.results[0].samples, 62)
})

test('a handler that fails on every sample, or on too many, fails the batch', async () => {
  const all = Array.from({ length: 40 }, (_, row) => row)
  for (const bad of [[0, 1], all.slice(0, MAX_DEAD_SAMPLES + 1), all]) {
    const runner = await runnerOf([picky([POISON])])
    const { results, findings, chunks } = run(runner, samplesWith(bad.length === 2 ? 2 : 40, bad), { isolate: true })
    assert.equal(results[0].error?.code, 'TLM_HANDLER_FAILED')
    assert.deepEqual([results[0].dead, findings, chunks], [undefined, [], []])
  }
})

test('the channels of a reading stay together while another cut is possible', async () => {
  const samples = Array.from({ length: 100 }, (_, reading) =>
    ['temperature', 'humidity', 'pressure'].map((channel) => ({
      channel,
      value: reading === 41 && channel === 'humidity' ? POISON : reading,
      takenAtUs: 1e15 + reading,
      sequence: reading,
    })),
  ).flat()
  const reply = run(await runnerOf([picky([POISON])]), samples, { isolate: true })
  assert.deepEqual(deadRows(reply.results[0]), [41 * 3 + 1])
  const calls = new Map<unknown, Set<number>>()
  for (const { atUs, body } of keyed(reply, 'test.picky')) {
    calls.set(atUs, (calls.get(atUs) ?? new Set()).add(body.key as never))
  }
  for (const [atUs, keys] of calls) if (atUs !== 1e15 + 41) assert.equal(keys.size, 1, `reading at ${atUs}`)
})

test('the key of an effect is the same each time, of its own in each call, and changes with the version', async () => {
  const runner = await runnerOf([picky([POISON])])
  const keysOf = (reply: HandlerReply) => keyed(reply, 'test.picky').map(({ body }) => body.key)
  const whole = run(runner, samplesWith(4, []))
  assert.deepEqual(new Set(keysOf(whole)), new Set(['hub.1.0.1/test.picky/1']))
  const first = run(runner, samplesWith(100, [60]), { isolate: true })
  const again = run(await runnerOf([picky([POISON])]), samplesWith(100, [60]), { isolate: true })
  assert.deepEqual(keysOf(first), keysOf(again))
  for (const { body } of keyed(first, 'test.picky')) {
    const key = body.key
    assert.equal(keysOf(first).filter((other) => other === key).length, body.together)
  }
})

test('parts that are given are run one by one, and samples in none of them are left out', async () => {
  const runner = await runnerOf([picky([])])
  const parts = [
    { from: 0, to: 4 },
    { from: 5, to: 10 },
  ]
  const reply = run(runner, samplesWith(10, [4]), { parts })
  const [result] = reply.results
  assert.deepEqual([deadRows(result), result.dead?.[0].error, result.samples], [[4], undefined, 9])
  assert.deepEqual(new Set(keyed(reply, 'test.picky').map(({ body }) => body.together)), new Set([4, 5]))
})

test('a probe tells what fails and gives nothing else', async () => {
  const runner = await runnerOf([picky([POISON])])
  const bodies = [encodeBatch(samplesWith(10, [])), encodeBatch(samplesWith(10, [3]))]
  const reply = runner.run({ ...requestOf(bodies, ['a', 'b']), isProbe: true })
  assert.deepEqual(
    reply.results.map(({ error }) => error?.code),
    [undefined, 'TLM_HANDLER_FAILED'],
  )
  assert.deepEqual([reply.findings, reply.chunks, reply.rows], [[], [], undefined])
})
