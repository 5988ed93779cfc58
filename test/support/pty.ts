import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/** Two pseudo terminals joined like the ends of a serial cable: what is written at one comes out at the other. */
export interface Pty {
  /** The end that a driver opens; the link when one was asked for. */
  readonly path: string
  /** The other end: what another program writes there comes out at {@link path}. */
  readonly devicePath: string
  /** Writes as the device would. */
  write(data: string | Uint8Array): Promise<void>
  /** Resolves with what the driver wrote, once it contains `text`. */
  readUntil(text: string): Promise<string>
  /** Pulls the cable out: SIGKILL, both ends hang up. */
  unplug(): Promise<void>
}

/** @param link a path of the test's own that shall lead to the driver's end, as udev makes `/dev/serial/by-id/...` */
export async function startPty(link?: string): Promise<Pty> {
  const driverEnd = `pty,raw,echo=0${link === undefined ? '' : `,link=${link}`}`
  const child = spawn('socat', ['-d', '-d', driverEnd, 'pty,raw,echo=0'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const [driverPath, devicePath] = await ptyPaths(child)
  const device = await open(devicePath, constants.O_RDWR | constants.O_NOCTTY)
  return {
    path: link ?? driverPath,
    devicePath,
    async write(data) {
      await device.writeFile(data)
    },
    readUntil: (text) => readUntil(device, text),
    async unplug() {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit')
        child.kill('SIGKILL')
        await ended
      }
      await device.close()
    },
  }
}

async function ptyPaths(child: ChildProcess): Promise<string[]> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`socat ended with ${code}: ${log}`)))
    let log = ''
    child.stderr!.on('data', (chunk: Buffer) => {
      log += chunk.toString()
      if (!log.includes('starting data transfer loop')) return
      resolve([...log.matchAll(/PTY is (\S+)/g)].map((match) => match[1]))
    })
  })
}

async function readUntil(device: FileHandle, text: string): Promise<string> {
  let seen = ''
  const buffer = Buffer.alloc(1024)
  while (!seen.includes(text)) seen += buffer.toString('utf8', 0, (await device.read(buffer)).bytesRead)
  return seen
}
