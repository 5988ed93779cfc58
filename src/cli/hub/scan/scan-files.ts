/** What drivers of the kernel measure already: 1-Wire, IIO and hwmon. Nothing is converted, only names are read. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Find, Keys, ScanResult } from './find.js'

/** Never throws. */
export async function scanFiles(sys: string): Promise<ScanResult> {
  const found = await Promise.all([scanW1(sys), scanIio(sys), scanHwmon(sys)])
  return { finds: found.flat(), problems: [] }
}

async function scanW1(sys: string): Promise<Find[]> {
  const names = (await namesIn(join(sys, 'bus/w1/devices'))).filter((name) => /^(28|22)-[\da-f]{12}$/.test(name))
  return names.map((id) => fileFind(sys, id, '1-Wire thermometer', { driver: 'ds18b20', id }))
}

async function scanIio(sys: string): Promise<Find[]> {
  const parent = join(sys, 'bus/iio/devices')
  const folders = (await namesIn(parent)).filter((name) => name.startsWith('iio:device'))
  return chipFinds(sys, parent, folders, 'linux-iio', /^in_(.+)_(?:raw|input)$/)
}

async function scanHwmon(sys: string): Promise<Find[]> {
  const parent = join(sys, 'class/hwmon')
  const folders = (await namesIn(parent)).filter((name) => name.startsWith('hwmon'))
  return chipFinds(sys, parent, folders, 'hwmon', /^((?:temp|in|curr|power|energy|humidity|fan)\d+)_input$/)
}

/** A chip is found by its name; by its folder when there are several of that name. */
async function chipFinds(
  sys: string,
  parent: string,
  folders: readonly string[],
  driver: string,
  inputFile: RegExp,
): Promise<Find[]> {
  const chips = await Promise.all(
    folders.map(async (folder) => {
      const files = await namesIn(join(parent, folder))
      const chip = (await readFile(join(parent, folder, 'name'), 'utf8').catch(() => '')).trim()
      const inputs = [...new Set(files.flatMap((file) => inputFile.exec(file)?.[1] ?? []))]
      return { folder, chip, inputs }
    }),
  )
  return chips
    .filter(({ inputs }) => inputs.length > 0)
    .map(({ folder, chip, inputs }) => {
      const isOnly = chip !== '' && chips.filter((other) => other.chip === chip).length === 1
      const which = isOnly ? { chip } : { device: folder }
      const what = `${chip || 'a chip without a name'}: ${inputs.join(', ')}`
      return fileFind(sys, folder, what, { driver, ...which, inputs })
    })
}

function fileFind(sys: string, id: string, what: string, device: Keys & { driver: string }): Find {
  const bus = sys === '/sys' ? {} : { bus: { type: 'file', root: sys } }
  const { driver, ...rest } = device
  return { id, kind: 'file', what, certainty: 'certain', driver, lines: { device: { driver, ...bus, ...rest } } }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort()
}
