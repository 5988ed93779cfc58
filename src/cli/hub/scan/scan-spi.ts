/** SPI chip selects. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ScanResult } from './find.js'

/**
 * The nodes there are. Nobody is asked: SPI has no addresses, and the bits that one chip takes for a question set the
 * output of another. Never throws.
 */
export async function scanSpi(dev: string): Promise<ScanResult> {
  const names = (await readdir(dev).catch(() => [])).filter((name) => /^spidev\d+\.\d+$/.test(name)).sort()
  const finds = names.map((name) => {
    const path = join(dev, name)
    const what = `a chip select; try what is there: hub read --driver NAME --bus ${path}`
    const lines = { bus: { name, keys: { type: 'spi', path } } }
    return { id: name, kind: 'spi' as const, what, certainty: 'possible' as const, lines }
  })
  return { finds, problems: [] }
}
