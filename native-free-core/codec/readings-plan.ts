import { type ColumnWidth, MAX_BYTE_LENGTH } from './batch-wire.js'
import { DeltaRange } from './delta-range.js'

/** In place of a sequence delta: the first reading of its device has none. */
const FIRST = -1

/**
 * The readings of the batch that is being planned: runs of samples of one device with the same time and sequence, both
 * kept once per reading, as what they are ahead of the reading before (time) or of the device's reading before (sequence).
 */
export class ReadingsPlan {
  #lastDevice = 0
  #lastSequence = 0
  #devices = 0
  #lastSequences = new Uint32Array(0)
  #maxLength = 1
  readonly #timeRange = new DeltaRange()
  readonly #sequenceRange = new DeltaRange()
  /** How many. */
  count = 0
  lengthWidth: ColumnWidth = 0
  /** By reading. */
  lengths = new Uint32Array(0)
  takenAtUs = new Float64Array(0)
  timeDeltas = new Float64Array(0)
  sequenceDeltas = new Float64Array(0)
  /** By device, in order of appearance. */
  firstSequences = new Uint32Array(0)

  /** Bytes that the columns of lengths, times and sequences take. */
  get bytes(): number {
    return (this.lengthWidth + this.timeWidth + this.sequenceWidth) * this.count + 4 * this.#devices
  }

  get timeWidth(): ColumnWidth {
    return this.#timeRange.width
  }

  get timeStep(): number {
    return this.timeWidth === 8 ? 0 : this.#timeRange.least
  }

  get sequenceWidth(): ColumnWidth {
    return this.#sequenceRange.width
  }

  get sequenceStep(): number {
    return this.#sequenceRange.least
  }

  begin(): void {
    this.#devices = 0
    this.#maxLength = 1
    this.lengthWidth = 0
    this.#timeRange.clear()
    this.#sequenceRange.clear()
    this.count = 0
  }

  /** Makes room for `capacity` readings in all; keeps what there is. */
  reserve(capacity: number): void {
    this.lengths = grown(this.lengths, new Uint32Array(capacity))
    this.takenAtUs = grown(this.takenAtUs, new Float64Array(capacity))
    this.timeDeltas = grown(this.timeDeltas, new Float64Array(capacity))
    this.sequenceDeltas = grown(this.sequenceDeltas, new Float64Array(capacity))
    this.firstSequences = grown(this.firstSequences, new Uint32Array(capacity))
    this.#lastSequences = grown(this.#lastSequences, new Uint32Array(capacity))
  }

  /**
   * Adds one sample.
   *
   * @param device number of its device, in order of appearance
   * @returns `false`: the time is not a whole number within +-(2^53 - 1), nothing was added
   */
  add(device: number, takenAtUs: number, sequence: number): boolean {
    const last = this.count - 1
    if (
      last >= 0 &&
      takenAtUs === this.takenAtUs[last] &&
      sequence === this.#lastSequence &&
      device === this.#lastDevice
    ) {
      const length = ++this.lengths[last]
      if (length > this.#maxLength) this.#setMaxLength(length)
      return true
    }
    if (!Number.isSafeInteger(takenAtUs)) return false
    this.#begin(device, takenAtUs, sequence)
    return true
  }

  /** Undoes the last {@link add}. Once: the ranges remember one step. */
  takeBack(): void {
    const last = this.count - 1
    if (this.lengths[last] > 1) {
      this.lengths[last]--
    } else {
      this.count = last
      if (last > 0) this.#timeRange.takeBack()
      if (this.sequenceDeltas[last] === FIRST) this.#devices--
      else this.#sequenceRange.takeBack()
    }
    let longest = 1
    for (let reading = 0; reading < this.count; reading++) longest = Math.max(longest, this.lengths[reading])
    this.#setMaxLength(longest)
  }

  /** Gives the readings that have no delta the step, so that every delta less the step is 0 or more. */
  finish(): void {
    const { timeStep, sequenceStep, sequenceDeltas } = this
    this.timeDeltas[0] = timeStep
    for (let reading = 0; reading < this.count; reading++) {
      if (sequenceDeltas[reading] === FIRST) sequenceDeltas[reading] = sequenceStep
    }
  }

  earliestUs(): number {
    let earliest = this.takenAtUs[0]
    for (let reading = 1; reading < this.count; reading++) earliest = Math.min(earliest, this.takenAtUs[reading])
    return earliest
  }

  #setMaxLength(length: number): void {
    this.#maxLength = length
    if (length === 1) this.lengthWidth = 0
    else this.lengthWidth = length <= MAX_BYTE_LENGTH ? 1 : 2
  }

  #begin(device: number, takenAtUs: number, sequence: number): void {
    const reading = this.count++
    this.lengths[reading] = 1
    this.takenAtUs[reading] = takenAtUs
    if (reading > 0) {
      const delta = takenAtUs - this.takenAtUs[reading - 1]
      this.timeDeltas[reading] = delta
      this.#timeRange.add(delta)
    }
    if (device === this.#devices) {
      this.#devices++
      this.firstSequences[device] = sequence
      this.sequenceDeltas[reading] = FIRST
    } else {
      const delta = (sequence - this.#lastSequences[device]) >>> 0
      this.sequenceDeltas[reading] = delta
      this.#sequenceRange.add(delta)
    }
    this.#lastSequences[device] = sequence
    this.#lastDevice = device
    this.#lastSequence = sequence
  }
}

function grown<T extends Uint32Array | Float64Array>(old: T, larger: T): T {
  larger.set(old)
  return larger
}
