/** A point of a calibration: what the sensor said, and what it should have said. */
export type CalibrationPoint = readonly [measured: number, reference: number]

/** How a sensor's value becomes the true one. One way of the three, chosen by what is there. */
export interface CalibrationSettings {
  /** Serial number of the sensor that it was made with; absent: whatever is connected. */
  readonly serial?: string
  /** `value * gain + offset`; defaults 1 and 0. */
  readonly gain?: number
  readonly offset?: number
  /** At least two, each with another measured value. */
  readonly points?: readonly CalibrationPoint[]
  /** Of `points`: through each of them (default), or the straight line nearest to all of them. */
  readonly fit?: 'piecewise' | 'least-squares'
  /** Coefficients, the constant first: `c0 + c1 x + c2 x² ...`. */
  readonly polynomial?: readonly number[]
}

/** Pure; may give NaN or an infinity for a value far beyond what the calibration was made for. */
export type Calibration = (value: number) => number

export function createCalibration({
  gain = 1,
  offset = 0,
  points,
  fit,
  polynomial,
}: Omit<CalibrationSettings, 'serial'>): Calibration {
  if (polynomial !== undefined) return polynomialOf(polynomial)
  if (points === undefined) return (value) => value * gain + offset
  return fit === 'least-squares' ? leastSquares(points) : piecewise(points)
}

/** Horner's scheme. */
function polynomialOf(coefficients: readonly number[]): Calibration {
  return (value) => {
    let sum = 0
    for (let power = coefficients.length - 1; power >= 0; power--) sum = sum * value + coefficients[power]
    return sum
  }
}

/** Straight between neighbours; beyond the first and the last point the nearest line goes on. */
function piecewise(points: readonly CalibrationPoint[]): Calibration {
  const sorted = points.toSorted(([a], [b]) => a - b)
  return (value) => {
    let next = 1
    while (next < sorted.length - 1 && value > sorted[next][0]) next++
    const [x0, y0] = sorted[next - 1]
    const [x1, y1] = sorted[next]
    const share = (value - x0) / (x1 - x0)
    // Exact at both ends, unlike y0 + share * (y1 - y0).
    return y0 * (1 - share) + y1 * share
  }
}

/** Ordinary least squares about the mean, which keeps its digits when the values are far from 0. */
function leastSquares(points: readonly CalibrationPoint[]): Calibration {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length
  const slope =
    points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) /
    points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  return (value) => meanY + slope * (value - meanX)
}
