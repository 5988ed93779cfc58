import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { openBatchProducer, openBatchStream } from '#src/embedded/embedded-stream'
import { drainInOrder, numberedBatch, ownShard, random, samplesOf, withDirectory } from './numbered-batches.js'

const seed = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31)

const children = new Set<ChildProcess>()

afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})

function start(program: string, ...args: string[]): ChildProcess {
  const child = fork(join(import.meta.dirname, program), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  children.add(child)
  child.on('exit', () => children.delete(child))
  return child
}

async function kill(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

interface OwnerMessage {
  kind: 'owner' | 'settled' | 'fenced'
  token: number
  seq: number
  samples: number
}

function lastOf(journal: string): number {
  const written = readFileSync(journal)
  return written.length < 8 ? 0 : written.readDoubleLE((written.length & ~7) - 8)
}

test(`a writer killed at any moment, 20 times, loses and doubles nothing that it reported stored (seed ${seed})`, () =>
  withDirectory(async (directory) => {
    const next = random(seed)
    const journal = join(directory, 'journal')
    writeFileSync(journal, '')
    const stream = await openBatchStream({ directory, shards: 2 }, 'reader')
    const shard = await ownShard(stream)
    let lastSeq = 0
    for (let round = 0; round < 20; round++) {
      const writer = start('appending-program.js', directory, journal)
      await once(writer, 'message')
      const killed = pause(next() * 80).then(() => kill(writer))
      lastSeq = await drainInOrder(shard, lastSeq, 20)
      await killed
      lastSeq = await drainInOrder(shard, lastSeq)
      assert.ok(lastSeq >= lastOf(journal), `batch ${lastOf(journal)} was stored, the last one read is ${lastSeq}`)
    }
    assert.ok(lastSeq > 100, `only ${lastSeq} batches were written`)
    await stream.close()
  }))

test(`owners killed at any moment, 12 times, leave a state that holds each batch exactly once (seed ${seed})`, () =>
  withDirectory(async (directory) => {
    const next = random(seed)
    const producer = await openBatchProducer({ directory, shards: 2, segmentBytes: 500_000 })
    let appended = 0
    let stop = false
    const producing = (async () => {
      while (!stop) {
        const outcomes = await producer.append(Array.from({ length: 5 }, (_, i) => numberedBatch(appended + 1 + i)))
        assert.ok(outcomes.every(({ kind }) => kind === 'stored'))
        appended += 5
        await pause(2)
      }
    })()
    let settled = { seq: 0, samples: 0 }
    const startOwner = (holder: string) => {
      const owner = start('owning-program.js', directory, holder)
      owner.on('message', (message: OwnerMessage) => {
        if (message.kind === 'settled') settled = message
      })
      return owner
    }
    for (let round = 0; round < 12; round++) {
      const owner = startOwner(`owner-${round}`)
      // Some die as young owners, the others while they settle.
      const awaited = round % 4 === 0 ? 'owner' : 'settled'
      while ((await once(owner, 'message'))[0].kind !== awaited);
      await pause(next() * 50)
      await kill(owner)
    }
    stop = true
    await producing
    assert.ok(settled.seq > 0, 'no killed owner settled anything')
    const last = startOwner('owner-last')
    while (settled.seq < appended) await once(last, 'message')
    await kill(last)
    let samples = 0
    for (let seq = 1; seq <= appended; seq++) samples += samplesOf(seq)
    assert.deepEqual([settled.seq, settled.samples], [appended, samples])
    await producer.close()
  }))

test(`an owner that is stopped for a while settles nothing afterwards and holds up nobody (seed ${seed})`, () =>
  withDirectory(async (directory) => {
    const next = random(seed)
    const producer = await openBatchProducer({ directory, shards: 2 })
    let appended = 0
    let settled = { seq: 0, samples: 0 }
    const owners = ['owner-a', 'owner-b'].map((holder) => {
      const child = start('owning-program.js', directory, holder)
      const owner = { child, token: 0, fenced: 0 }
      child.on('message', (message: OwnerMessage) => {
        if (message.kind === 'owner') owner.token = message.token
        else if (message.kind === 'fenced') owner.fenced++
        else settled = message
      })
      return owner
    })
    await Promise.race(owners.map(({ child }) => once(child, 'message')))
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 20; i++) {
        await producer.append(Array.from({ length: 5 }, (_, j) => numberedBatch(appended + 1 + j)))
        appended += 5
        await pause(next() * 5)
      }
      const [holder, other] = owners[0].token > owners[1].token ? owners : [owners[1], owners[0]]
      const before = other.token
      holder.child.kill('SIGSTOP')
      const { fenced } = holder
      while (other.token === before) await once(other.child, 'message')
      while (settled.seq < appended) await once(other.child, 'message')
      holder.child.kill('SIGCONT')
      while (holder.fenced === fenced) await once(holder.child, 'message')
    }
    for (const { child } of owners) await kill(child)
    let samples = 0
    for (let seq = 1; seq <= appended; seq++) samples += samplesOf(seq)
    assert.deepEqual([settled.seq, settled.samples], [appended, samples])
    await producer.close()
  }))
