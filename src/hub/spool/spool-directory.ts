import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '#core/errors/telemetry-error'
import { PRIORITY_NAMES } from '#core/model/priority'
import { ONE_FOR_ALL, type RingClasses } from '../intake/ring-classes.js'
import { SpoolLock } from './spool-lock.js'

/** Of the files' format; see `workers/spool/record-format`. */
const FORMAT_VERSION = 1
/** 16 for each class. */
const MAX_LANES = 48

export interface SpoolPlace {
  /** The directory of all hubs' spools. */
  directory: string
  hubId: string
  shards: number
  /** Drain workers wanted: as many for each list of classes. */
  lanes: number
  /** Whose samples share a ring. */
  classes: readonly RingClasses[]
}

export type PreparedSpool =
  | {
      kind: 'ready'
      /** Drain workers to run: as many as the spool was filled by, as long as something is in it. */
      lanes: number
      /** The classes that were spooled together, likewise. */
      classes: readonly RingClasses[]
      laneDirectory(lane: number): string
      /** Directories of other hubs that hold batches and are used by nobody: only a hub of their id delivers those. */
      abandoned: readonly string[]
      /** Another run of the hub may use it. */
      release(): void
    }
  /** The hub runs without it. */
  | { kind: 'unusable'; problem: string }

interface Format {
  version?: unknown
  shards?: unknown
  lanes?: unknown
  /** Absent: all classes share the rings. */
  classes?: unknown
}

/**
 * Makes a hub's spool ready: its directory, the lock that keeps a second hub of the same id out, and the check that what
 * is in it fits. Touches no batch. Never throws.
 *
 * Which drain worker a device belongs to depends on how many there are, and on which classes share them. So that samples
 * of a device stay in order, a spool that is not empty is emptied by those that filled it.
 */
export function prepareSpool({ directory, hubId, shards, lanes, classes }: SpoolPlace): PreparedSpool {
  const root = join(directory, folderOf(hubId))
  const laneDirectory = (lane: number) => join(root, `r${lane}`)
  let lock: SpoolLock | undefined
  const unusable = (problem: string): PreparedSpool => {
    lock?.release()
    return { kind: 'unusable', problem }
  }
  try {
    mkdirSync(root, { recursive: true })
    accessSync(root, constants.R_OK | constants.W_OK | constants.X_OK)
    lock = SpoolLock.take(join(root, 'lock'))
    if (lock === undefined) {
      return unusable(`${root} is in use by another hub of the id ${hubId}. Fix: give each hub its own gateway.id`)
    }
    const path = join(root, 'spool.json')
    const found = readFormat(path)
    const wanted = { version: FORMAT_VERSION, shards, lanes }
    const filled = filledLanes(root)
    const abandoned = readdirSync(directory)
      .filter((name) => name !== folderOf(hubId) && isAbandoned(join(directory, name)))
      .map((name) => join(directory, name))
    const ready = (lanesToRun: number, classesToRun: readonly RingClasses[]): PreparedSpool => {
      const layout = { lanes: lanesToRun, classes: classesToRun }
      return { kind: 'ready', ...layout, laneDirectory, abandoned, release: () => lock?.release() }
    }
    if (filled.length === 0 || found === undefined) {
      const needed = Math.max(lanes, ...filled.map((name) => Number(name.slice(1)) + 1))
      // What filled more lanes than are wanted, nobody knows: all classes share them.
      const needs = needed === lanes ? classes : ONE_FOR_ALL
      writeFormat(path, { ...wanted, lanes: needed, ...(needs.length > 1 && { classes: needs }) })
      return ready(needed, needs)
    }
    const away = `move ${root} away`
    if (found.version !== FORMAT_VERSION) {
      const fix = `Fix: run the version of the hub that wrote it until it is empty, or ${away}`
      return unusable(`${root} holds batches in format ${String(found.version)}, not ${FORMAT_VERSION}. ${fix}`)
    }
    if (found.shards !== shards) {
      const fix = `Fix: set store.shards to ${String(found.shards)} until they are delivered, or ${away}`
      return unusable(`${root} holds batches for ${String(found.shards)} shards, not ${shards}. ${fix}`)
    }
    const foundLanes = isLaneCount(found.lanes) ? found.lanes : lanes
    return ready(foundLanes, areClasses(found.classes, foundLanes) ? found.classes : ONE_FOR_ALL)
  } catch (error) {
    return unusable(
      `${messageOf(error)}. Fix: make ${directory} a directory that this user can write, or set spool.dir`,
    )
  }
}

/** A name for files; ids that are none are told apart by a hash. */
function folderOf(hubId: string): string {
  if (/^[\w-][\w.-]{0,63}$/.test(hubId)) return hubId
  const hash = createHash('sha256').update(hubId).digest('hex').slice(0, 8)
  return `${hubId.replace(/[^\w-]/g, '_').slice(0, 48)}-${hash}`
}

/** Lanes of a hub's directory that have segments. */
function filledLanes(root: string): string[] {
  return readdirSync(root).filter((name) => {
    return /^r\d+$/.test(name) && readdirSync(join(root, name)).some((file) => file.endsWith('.spool'))
  })
}

function isAbandoned(root: string): boolean {
  try {
    return filledLanes(root).length > 0 && !SpoolLock.isTaken(join(root, 'lock'))
  } catch {
    return false
  }
}

function isLaneCount(lanes: unknown): lanes is number {
  return Number.isInteger(lanes) && (lanes as number) >= 1 && (lanes as number) <= MAX_LANES
}

/** Each class once, in lists that share the lanes evenly. */
function areClasses(classes: unknown, lanes: number): classes is readonly RingClasses[] {
  if (!Array.isArray(classes) || !classes.every(Array.isArray) || lanes % classes.length !== 0) return false
  const names: unknown[] = classes.flat()
  return names.length === PRIORITY_NAMES.length && PRIORITY_NAMES.every((name) => names.includes(name))
}

/** `undefined`: none, or damaged: then the batches speak for themselves. */
function readFormat(path: string): Format | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return typeof content === 'object' && content !== null ? content : undefined
  } catch {
    return undefined
  }
}

/** Whole or not at all. */
function writeFormat(path: string, format: Format): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(format)}\n`)
  renameSync(`${path}.new`, path)
}
