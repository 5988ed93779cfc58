import { closeSync, constants, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { ControlHeader } from './control-file.js'
import { readJson } from './json-file.js'
import type { LeaseClock } from './lease-clock.js'

/** Written in place and in one piece, so that nobody reads half of it. */
const LEASE_BYTES = 128

interface Lease {
  untilMs: number
  session: string
}

/** How long the owner with a token holds its shard, as it last said: a small file per token. */
export function writeLease(folder: string, token: number, lease: Lease): void {
  const fd = openSync(leasePath(folder, token), constants.O_RDWR | constants.O_CREAT)
  try {
    writeSync(fd, JSON.stringify(lease).padEnd(LEASE_BYTES), 0)
  } finally {
    closeSync(fd)
  }
}

/** Whether the owner that a control file names still holds the shard. */
export function isHeld(folder: string, { holder, token, ...made }: ControlHeader, clock: LeaseClock): boolean {
  if (holder === undefined) return false
  const { untilMs, session } = (readJson(leasePath(folder, token)) as Lease | undefined) ?? made
  return session === clock.session && untilMs > clock.nowMs()
}

/** Removes the leases of earlier owners. */
export function removeLeasesBefore(folder: string, token: number): void {
  for (const name of readdirSync(folder)) {
    if (name.startsWith('lease-') && Number(name.slice('lease-'.length)) < token)
      rmSync(join(folder, name), { force: true })
  }
}

function leasePath(folder: string, token: number): string {
  return join(folder, `lease-${token}`)
}
