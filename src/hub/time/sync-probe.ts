import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Whether the host's clock follows a time server; `unknown`: nobody on this host can say. */
export type ClockSync = 'yes' | 'no' | 'unknown'

/** Looks once. Never rejects. */
export type SyncProbe = () => Promise<ClockSync>

/** systemd-timesyncd writes it when it has set the clock for the first time since the start of the machine. */
export const TIMESYNCD_FILE = '/run/systemd/timesync/synchronized'

const COMMAND_TIMEOUT_MS = 2000

/**
 * Asks the host, without a native package: systemd-timesyncd's file, else `timedatectl`, which reads the kernel's own
 * flag and so speaks for chrony and ntpd as well.
 *
 * @param file the operator's own file, there as soon as the clock is set: then nothing else is asked
 */
export function hostSyncProbe(file?: string): SyncProbe {
  if (file !== undefined) return async () => ((await exists(file)) ? 'yes' : 'no')
  return async () => {
    if (await exists(TIMESYNCD_FILE)) return 'yes'
    if (await exists(dirname(TIMESYNCD_FILE))) return 'no'
    return askKernel()
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function askKernel(): Promise<ClockSync> {
  const words = ['show', '--property=NTPSynchronized', '--value']
  return new Promise((resolve) => {
    execFile('timedatectl', words, { timeout: COMMAND_TIMEOUT_MS }, (error, stdout) => {
      const answer = stdout.trim()
      resolve(error === null && (answer === 'yes' || answer === 'no') ? answer : 'unknown')
    })
  })
}
