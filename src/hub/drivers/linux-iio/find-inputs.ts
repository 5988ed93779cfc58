import type { DriverTools } from '../contract/polled-driver.js'
import type { FilePort } from '../contract/ports.js'
import type { FoundInput } from '../kernel/inputs.js'

/** The files of each input. The kernel shows a value as `_input`, or as `_raw` with a scale of the channel or its kind. */
export async function findInputs(
  port: FilePort,
  tools: DriverTools,
  folder: string,
  inputs: readonly string[],
): Promise<FoundInput[]> {
  const files = new Set(await port.list(folder))
  const numberIn = async (stem: string, what: 'scale' | 'offset', otherwise: number) => {
    for (const name of [`in_${stem}_${what}`, `in_${stem.replace(/_?[xyz]$/, '')}_${what}`, kindFile(stem, what)]) {
      if (!files.has(name)) continue
      const value = Number(await port.read(`${folder}/${name}`))
      if (Number.isFinite(value) && !(what === 'scale' && value === 0)) return value
      throw tools.fault('setup', `${name} is no ${what}: see the log of the kernel's driver (dmesg).`)
    }
    return otherwise
  }
  const found: FoundInput[] = []
  for (const name of inputs) {
    if (files.has(`in_${name}_input`)) {
      found.push({ name, file: `in_${name}_input`, offset: 0, scale: 1 })
    } else if (files.has(`in_${name}_raw`)) {
      const [offset, scale] = [await numberIn(name, 'offset', 0), await numberIn(name, 'scale', 1)]
      found.push({ name, file: `in_${name}_raw`, offset, scale })
    } else {
      const there = [...files].flatMap((file) => /^in_(.+)_(?:raw|input)$/.exec(file)?.[1] ?? [])
      throw tools.fault(
        'setup',
        `${folder} has no input ${name}; it has ${there.join(', ') || 'none'}. Correct "inputs".`,
      )
    }
  }
  return found
}

/** `voltage3` and `accel_x` share the files of `voltage` and `accel`. */
function kindFile(stem: string, what: string): string {
  return `in_${stem.replace(/(\d+|_.*)+$/, '')}_${what}`
}
