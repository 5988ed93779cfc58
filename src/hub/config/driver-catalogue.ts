import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { messageOf } from '#core/errors/telemetry-error'
import { didYouMean } from '#core/options/did-you-mean'
import type { AnyDriver, DriverModule } from '../drivers/contract/driver-module.js'

const FOLDER = fileURLToPath(new URL('../drivers/', import.meta.url))

/** Drivers by the word that a device names them with; in their place, why one cannot be had. */
export type Drivers = ReadonlyMap<string, AnyDriver | DriverProblem>

/** What is wrong with the word after `driver:`, and how to mend it. */
export interface DriverProblem {
  readonly problem: string
}

/** Names of the drivers that come with the hub, sorted: the folders that have a `driver.js`. */
export function builtInDrivers(): string[] {
  const folders = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return folders.map(({ name }) => name).filter((name) => existsSync(resolve(FOLDER, name, 'driver.js')))
}

/**
 * Loads drivers: a word is one of the hub's own, `./file.js` (or an absolute path) a file, `npm:name` a package. Only
 * what is asked for is loaded. Never throws.
 *
 * @param configFile files are looked for beside it, packages where it would find them; absent: the working directory
 */
export async function loadDrivers(names: Iterable<string>, configFile?: string): Promise<Drivers> {
  const besides = configFile === undefined ? process.cwd() : dirname(resolve(configFile))
  const known = builtInDrivers()
  const loads = [...new Set(names)].map(async (name) => {
    const driver = await load(name, known, besides).catch((error) => ({ problem: messageOf(error) }))
    return [name, driver] as const
  })
  return new Map(await Promise.all(loads))
}

/** @throws Error with the text of the problem */
async function load(name: string, known: readonly string[], besides: string): Promise<AnyDriver> {
  const url = moduleOf(name, known, besides)
  let module: Partial<DriverModule>
  try {
    module = (await import(url)) as Partial<DriverModule>
  } catch (error) {
    throw new Error(`it cannot be loaded: ${messageOf(error)}`)
  }
  const { driver } = module
  if (driver === undefined || !['polled', 'stream', 'source'].includes(driver.kind) || !driver.manifest) {
    throw new Error('it has no export "driver" with a kind and a manifest, see docs/writing-drivers.md')
  }
  return driver
}

function moduleOf(name: string, known: readonly string[], besides: string): string {
  if (/^\.{0,2}\//.test(name)) return pathToFileURL(resolve(besides, name)).href
  if (name.startsWith('npm:')) return packageOf(name.slice('npm:'.length), besides)
  if (known.includes(name)) return pathToFileURL(resolve(FOLDER, name, 'driver.js')).href
  const near = didYouMean(name, known)
  const hint = near ? `did you mean ${near}?` : 'others are ./file.js and npm:package'
  throw new Error(`expected one of ${known.join(', ')} (${hint})`)
}

/** Packages are found from the configuration, not from the hub: that is where their user installed them. */
function packageOf(name: string, besides: string): string {
  try {
    return pathToFileURL(createRequire(resolve(besides, 'hub.yaml')).resolve(name)).href
  } catch {
    throw new Error(`the package is not installed, run "npm install ${name}" in ${besides}`)
  }
}
