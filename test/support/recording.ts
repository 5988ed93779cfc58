import { readFileSync } from 'node:fs'

export interface RecordedReading {
  line: string
  takenAtUs: number
  temperature: number
  humidity: number
}

/** Reads `date time temperature humidity` lines, on its own: the pipeline's parser has no part in it. */
export function readRecording(path: string): RecordedReading[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [date, time, temperature, humidity] = line.trim().split(/\s+/)
      return {
        line: line.trim(),
        takenAtUs: Date.parse(`${date}T${time}Z`) * 1000,
        temperature: Number(temperature),
        humidity: Number(humidity),
      }
    })
}

export interface Moments {
  count: number
  mean: number
  standardDeviation: number
  min: number
  max: number
}

/** Two-pass moments, the textbook's way: independent of the running ones that are tested with it. */
export function momentsOf(values: readonly number[]): Moments {
  const count = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return {
    count,
    mean,
    standardDeviation: Math.sqrt(squares / (count - 1)),
    min: Math.min(...values),
    max: Math.max(...values),
  }
}
