/**
 * Quantiles with a bounded relative error, in a shard's shared memory: logarithmic bins after Masson, Rim and Lee
 * ("DDSketch", VLDB 2019), and when a series needs too many of them the uniform collapse of Epicoco et al. ("UDDSketch",
 * IEEE Access 2020), which halves the bins everywhere instead of spoiling one end.
 *
 * Bin `i` holds magnitudes in `(g^(i-1), g^i]`, one set of bins for each sign, and zeros are counted apart. Any quantile is
 * within {@link RELATIVE_ERROR} of the sample of that rank until the bins have been collapsed; each collapse squares `g`.
 * The bins, and the number of collapses, depend on the samples alone and not on their order, so a merge of parts is bin for
 * bin the sketch of the whole.
 *
 * Bins come in pages of 32, allocated as values need them: a page spans a factor of 1.9 at first.
 */
import type { RowReader, RowWriter } from './row-bytes.js'
import { PAGE_BINS, PAGE_COUNTS, PAGE_KEY, PAGE_NEXT, PAGE_WORDS, type ShardMemory } from './shard-memory.js'

/** Largest relative error of a quantile while no bins were collapsed. */
export const RELATIVE_ERROR = 0.01

/** Words of a sketch in a record. */
export const SKETCH_WORDS = 5
const ZEROS = 0
const LEVEL = 1
/** Pages of both signs. */
const PAGES = 2
/** First pages, each list from the largest magnitudes down, where most samples are. */
const FIRST_NEGATIVE = 3
const FIRST_POSITIVE = 4

/** Bins for magnitudes 17 decades apart in one sign, or 8 in both; more are collapsed. At most 17 KB a series. */
const MAX_PAGES = 64

/** A hair below the bound leaves room for the rounding of logarithms. */
const LN_G = Math.log1p((2 * RELATIVE_ERROR * (1 - 1e-9)) / (1 - RELATIVE_ERROR * (1 - 1e-9)))
const BINS_PER_LN = 1 / LN_G

/** Smaller magnitudes, the subnormal ones, count as zero. */
const SMALLEST = 2 ** -1022

/** Blocks of bins are numbered from -1109 to 1109; shifted above zero, the sign of a page's key is the sign of its values. */
const KEY_OFFSET = 4096
const BLOCK_SHIFT = 5

/**
 * Adds the values `from..to-1`, all finite.
 *
 * Cost: a logarithm and a few words per value.
 *
 * @param at first word of the sketch in `memory.records`
 */
export function addToSketch(memory: ShardMemory, at: number, values: Float64Array, from: number, to: number): void {
  let { pages } = memory
  let level = memory.records[at + LEVEL]
  let zeros = 0
  let key = 0 // no page has the key 0
  let counts = 0
  for (let i = from; i < to; i++) {
    const value = values[i]
    const magnitude = Math.abs(value)
    if (magnitude < SMALLEST) {
      zeros++
      continue
    }
    let bin = collapsed(Math.ceil(Math.log(magnitude) * BINS_PER_LN), level)
    let wanted = keyOf(bin, value < 0)
    if (wanted !== key) {
      let page = findPage(memory, at, wanted)
      while (page === 0) {
        collapse(memory, at)
        level++
        bin = collapsed(Math.ceil(Math.log(magnitude) * BINS_PER_LN), level)
        wanted = keyOf(bin, value < 0)
        page = findPage(memory, at, wanted)
      }
      key = wanted
      counts = page * PAGE_WORDS + PAGE_COUNTS
      pages = memory.pages
    }
    pages[counts + (bin & (PAGE_BINS - 1))]++
  }
  memory.records[at + ZEROS] += zeros
}

/** What {@link quantiles} promises: grows with each collapse. */
export function relativeError(memory: ShardMemory, at: number): number {
  const level = memory.records[at + LEVEL]
  return level === 0 ? RELATIVE_ERROR : Math.tanh((LN_G * 2 ** level) / 2)
}

/**
 * Estimates of the samples of ranks `floor(q * (count - 1))` in ascending order of value.
 *
 * @param count samples in the sketch, at least 1
 * @param wanted quantiles in 0..1, ascending
 */
export function quantiles(memory: ShardMemory, at: number, count: number, wanted: readonly number[]): number[] {
  const found: number[] = []
  let below = 0
  visitBins(memory, at, (value, samples) => {
    below += samples
    while (found.length < wanted.length && below > wanted[found.length] * (count - 1)) found.push(value())
  })
  return found
}

/** Number of collapses, zeros, then pages of bins in one order: the same sketch always gives the same bytes. */
export function saveSketch(memory: ShardMemory, at: number, row: RowWriter): void {
  const { records, pages } = memory
  row.integer(records[at + LEVEL])
  row.integer(records[at + ZEROS])
  row.integer(records[at + PAGES])
  for (const page of [...listPages(memory, at, FIRST_NEGATIVE), ...listPages(memory, at, FIRST_POSITIVE)]) {
    const counts = page * PAGE_WORDS + PAGE_COUNTS
    row.signed(pages[page * PAGE_WORDS + PAGE_KEY])
    let bits = 0
    for (let bin = 0; bin < PAGE_BINS; bin++) if (pages[counts + bin] !== 0) bits += 2 ** bin
    row.integer(bits)
    for (let bin = 0; bin < PAGE_BINS; bin++) if (pages[counts + bin] !== 0) row.integer(pages[counts + bin])
  }
}

/**
 * Adds a saved sketch to the one at `at`.
 *
 * @throws RangeError the bytes are not a sketch
 */
export function mergeSketch(memory: ShardMemory, at: number, row: RowReader): void {
  const level = row.integer()
  if (level > 16) throw new RangeError(`a sketch collapsed ${level} times`)
  while (memory.records[at + LEVEL] < level) collapse(memory, at)
  memory.records[at + ZEROS] += row.integer()
  const pages = row.integer()
  if (pages > MAX_PAGES) throw new RangeError(`a sketch of ${pages} pages`)
  for (let page = 0; page < pages; page++) {
    const key = row.signed()
    if (Math.abs(Math.abs(key) - KEY_OFFSET) > 1200) throw new RangeError(`a sketch page of key ${key}`)
    const bits = row.integer()
    for (let bin = 0; bin < PAGE_BINS; bin++) {
      if (Math.floor(bits / 2 ** bin) % 2 === 1)
        addBin(memory, at, level, firstBinOf(key) + bin, key < 0, row.integer())
    }
  }
}

/** Adds samples to a bin that was numbered at `level`. */
function addBin(memory: ShardMemory, at: number, level: number, bin: number, negative: boolean, samples: number): void {
  for (;;) {
    const own = collapsed(bin, memory.records[at + LEVEL] - level)
    const page = findPage(memory, at, keyOf(own, negative))
    if (page !== 0) {
      memory.pages[page * PAGE_WORDS + PAGE_COUNTS + (own & (PAGE_BINS - 1))] += samples
      return
    }
    collapse(memory, at)
  }
}

/** In ascending order of value, without empty bins. */
function visitBins(memory: ShardMemory, at: number, visit: (value: () => number, samples: number) => void): void {
  const { records, pages } = memory
  const lnG = LN_G * 2 ** records[at + LEVEL]
  const middle = 2 / (Math.exp(lnG) + 1)
  const middleOf = (bin: number) => Math.exp(bin * lnG) * middle
  for (const page of listPages(memory, at, FIRST_NEGATIVE)) {
    const first = firstBinOf(pages[page * PAGE_WORDS + PAGE_KEY])
    for (let bin = PAGE_BINS - 1; bin >= 0; bin--) {
      const samples = pages[page * PAGE_WORDS + PAGE_COUNTS + bin]
      if (samples > 0) visit(() => -middleOf(first + bin), samples)
    }
  }
  if (records[at + ZEROS] > 0) visit(() => 0, records[at + ZEROS])
  for (const page of listPages(memory, at, FIRST_POSITIVE).reverse()) {
    const first = firstBinOf(pages[page * PAGE_WORDS + PAGE_KEY])
    for (let bin = 0; bin < PAGE_BINS; bin++) {
      const samples = pages[page * PAGE_WORDS + PAGE_COUNTS + bin]
      if (samples > 0) visit(() => middleOf(first + bin), samples)
    }
  }
}

function listPages({ records, pages }: ShardMemory, at: number, list: number): number[] {
  const listed: number[] = []
  for (let page = records[at + list]; page !== 0; page = pages[page * PAGE_WORDS + PAGE_NEXT]) listed.push(page)
  return listed
}

/** The page of that key, a new one where there is none; 0 when the sketch must collapse first. */
function findPage(memory: ShardMemory, at: number, key: number): number {
  const { records, pages } = memory
  const list = at + (key < 0 ? FIRST_NEGATIVE : FIRST_POSITIVE)
  const block = Math.abs(key)
  let before = 0
  let page = records[list]
  while (page !== 0 && Math.abs(pages[page * PAGE_WORDS + PAGE_KEY]) > block) {
    before = page
    page = pages[page * PAGE_WORDS + PAGE_NEXT]
  }
  if (page !== 0 && pages[page * PAGE_WORDS + PAGE_KEY] === key) return page
  if (records[at + PAGES] === MAX_PAGES) return 0
  const added = memory.allocatePage() // the arrays may be others from here on
  memory.pages[added * PAGE_WORDS + PAGE_KEY] = key
  memory.pages[added * PAGE_WORDS + PAGE_NEXT] = page
  if (before === 0) memory.records[list] = added
  else memory.pages[before * PAGE_WORDS + PAGE_NEXT] = added
  memory.records[at + PAGES]++
  return added
}

/** Puts bins `2i-1` and `2i` together into bin `i`, for both signs. */
function collapse(memory: ShardMemory, at: number): void {
  const former = [...listPages(memory, at, FIRST_NEGATIVE), ...listPages(memory, at, FIRST_POSITIVE)]
  const level = memory.records[at + LEVEL]++
  memory.records.fill(0, at + PAGES, at + SKETCH_WORDS)
  for (const page of former) {
    const from = page * PAGE_WORDS
    const key = memory.pages[from + PAGE_KEY]
    for (let bin = 0; bin < PAGE_BINS; bin++) {
      const samples = memory.pages[from + PAGE_COUNTS + bin]
      if (samples > 0) addBin(memory, at, level, firstBinOf(key) + bin, key < 0, samples)
    }
    memory.freePage(page)
  }
}

/** The number of a bin after `times` collapses: `ceil(bin / 2^times)`. */
function collapsed(bin: number, times: number): number {
  return (bin + ((1 << times) - 1)) >> times
}

function keyOf(bin: number, negative: boolean): number {
  const key = (bin >> BLOCK_SHIFT) + KEY_OFFSET
  return negative ? -key : key
}

function firstBinOf(key: number): number {
  return (Math.abs(key) - KEY_OFFSET) << BLOCK_SHIFT
}
