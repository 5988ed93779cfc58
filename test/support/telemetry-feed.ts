import assert from 'node:assert/strict'
import { shardOf } from '#core/model/shard'
import type { BatchProducer, SealedBatch } from '#core/transport/batch-stream'
import { encodeBatch } from './encoded-batches.js'

/** Event time of the first reading. */
const BEGIN_US = 1_700_000_000_000_000
const SECOND_US = 1_000_000

/** What a device reads: slow waves with a spike now and then; the same in every run. */
export function readingOf(device: number, reading: number): number {
  const wave = 20 + device + 3 * Math.sin(reading / 20) + Math.sin(reading * 12.9898 + device) / 10
  return reading % 97 === 96 ? wave + 80 : wave
}

/** A hub in a test's hand: devices that read once a second of event time, batches as a hub seals them. */
export class TelemetryFeed {
  readonly devices: number
  readonly #producer: BatchProducer
  readonly #epoch: number
  readonly #seqs = new Map<number, number>()
  #readings = 0

  /** @param epoch of the numbering */
  constructor(producer: BatchProducer, devices: number, epoch = 1) {
    this.devices = devices
    this.#producer = producer
    this.#epoch = epoch
  }

  /** Samples appended so far. */
  get samples(): number {
    return this.#readings * this.devices
  }

  /** The values of a device's readings so far. */
  valuesOf(device: number): number[] {
    return Array.from({ length: this.#readings }, (_, reading) => readingOf(device, reading))
  }

  /** Appends the next readings of all devices: one batch per shard. */
  async append(readings: number): Promise<void> {
    const from = this.#readings
    this.#readings += readings
    const byShard = new Map<number, { device: string; channel: string; value: number; takenAtUs: number }[]>()
    for (let reading = from; reading < this.#readings; reading++) {
      for (let number = 0; number < this.devices; number++) {
        const device = `device-${number}`
        const shard = shardOf(device, this.#producer.shards)
        const samples = byShard.get(shard) ?? []
        const takenAtUs = BEGIN_US + reading * SECOND_US
        samples.push({ device, channel: 'temperature', value: readingOf(number, reading), takenAtUs })
        byShard.set(shard, samples)
      }
    }
    const batches = [...byShard].map(([shard, samples]) => this.seal(shard, encodeBatch(samples), samples.length))
    for (const outcome of await this.#producer.append(batches)) assert.deepEqual(outcome, { kind: 'stored' })
  }

  /** The next batch of a shard with any body, also one that no decoder can read. */
  seal(shard: number, body: Uint8Array, samples: number): SealedBatch {
    const seq = (this.#seqs.get(shard) ?? 0) + 1
    this.#seqs.set(shard, seq)
    const header = { producer: 'feed', epoch: this.#epoch, seq }
    return { ...header, shard, priority: 1, handler: '*', samples, firstTakenAtUs: BEGIN_US, body }
  }
}
