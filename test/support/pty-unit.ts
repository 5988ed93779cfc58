import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Pty } from './pty.js'

/** A device of the test's small protocol (see `asking-driver`) at the far end of a terminal, until it hangs up. */
export async function answerOn(pty: Pty, unit: number, value: number): Promise<void> {
  // Without O_NOCTTY the terminal could become this process's own, and its end would end the process.
  const device = await open(pty.devicePath, constants.O_RDWR | constants.O_NOCTTY)
  const answer = async () => {
    const bytes = Buffer.alloc(64)
    for (;;) {
      const { bytesRead } = await device.read(bytes)
      if (bytesRead === 0) return
      const isSetup = bytes.subarray(0, bytesRead).includes(0xff)
      await device.write(Uint8Array.of(unit, isSetup ? 100 : value))
    }
  }
  answer()
    // The terminal hung up.
    .catch(() => {})
    .finally(() => device.close())
}
