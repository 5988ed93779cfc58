/** One tumbling window as words of a series' record. */

/** Fields of a window; one with COUNT 0 is not open. */
export const COUNT = 0
export const START_AT = 1
export const MEAN = 2
export const SQUARES = 3
export const MIN = 4
export const MAX = 5
const FIRST_AT = 6
export const FIRST = 7
const LAST_AT = 8
export const LAST = 9
/** How often it has fired. */
export const FIRINGS = 10
/** 1 when it has fired and no finding says so yet; never across runs. */
export const UNSAID = 11
export const WINDOW_WORDS = 12

/** `floor(at / size)`, also where the quotient is rounded up to the next whole number. */
export function windowNumber(atUs: number, sizeUs: number): number {
  const number = Math.floor(atUs / sizeUs)
  return number * sizeUs > atUs ? number - 1 : number
}

/** Where a window stands among `places` for consecutive ones. */
export function placeOf(number: number, places: number): number {
  const place = number % places
  return place < 0 ? place + places : place
}

/** An empty window; the first sample opens it. */
export function openWindow(records: Float64Array, window: number, startUs: number): void {
  records.fill(0, window, window + WINDOW_WORDS)
  records[window + START_AT] = startUs
  records[window + MIN] = Number.POSITIVE_INFINITY
  records[window + MAX] = Number.NEGATIVE_INFINITY
  records[window + FIRST_AT] = Number.POSITIVE_INFINITY
  records[window + LAST_AT] = Number.NEGATIVE_INFINITY
}

/** Adds a sample: moments by Welford's recurrences, first and last by event time. */
export function addToWindow(records: Float64Array, window: number, value: number, atUs: number): void {
  const count = records[window + COUNT] + 1
  const distance = value - records[window + MEAN]
  const mean = records[window + MEAN] + distance / count
  records[window + COUNT] = count
  records[window + MEAN] = mean
  records[window + SQUARES] += distance * (value - mean)
  if (value < records[window + MIN]) records[window + MIN] = value
  if (value > records[window + MAX]) records[window + MAX] = value
  if (atUs < records[window + FIRST_AT]) {
    records[window + FIRST_AT] = atUs
    records[window + FIRST] = value
  }
  if (atUs >= records[window + LAST_AT]) {
    records[window + LAST_AT] = atUs
    records[window + LAST] = value
  }
}

/** Notes a firing that no finding says yet. */
export function fire(records: Float64Array, window: number): void {
  records[window + FIRINGS]++
  records[window + UNSAID] = 1
}
