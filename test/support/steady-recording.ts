import { writeFile } from 'node:fs/promises'
import { seededRandom } from './seeded-random.js'

export const RECORDED_CHANNELS = ['temperature', 'humidity', 'pressure', 'voltage'] as const

/**
 * Writes a CSV recording that is the same for the same seed: a reading a second of four channels, with spikes and spells
 * beyond the default alert thresholds, so that every handler has something to say.
 */
export async function writeSteadyRecording(path: string, seed: number, readings: number): Promise<void> {
  const random = seededRandom(seed)
  const lines = [`time,${RECORDED_CHANNELS.join(',')}`]
  for (let n = 0; n < readings; n++) {
    const noise = () => random() + random() + random() - 1.5
    const isSpell = n % 1000 > 950
    const spike = random() < 0.002 ? 40 : 0
    const values = [
      22 + 5 * Math.sin(n / 300) + noise() + spike + (isSpell ? 70 : 0),
      50 + 20 * Math.sin(n / 500) + noise(),
      1013 + 4 * Math.sin(n / 900) + noise(),
      3.3 + noise() / 20 - (isSpell ? 1 : 0),
    ]
    lines.push(`${1_700_000_000 + n},${values.map((value) => value.toFixed(3)).join(',')}`)
  }
  await writeFile(path, `${lines.join('\n')}\n`)
}
