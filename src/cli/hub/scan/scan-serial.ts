/** Serial ports, and the path that stays when they are plugged in another order. */
import { readdir, realpath } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type SerialRoots, usbSerialPorts } from '../../../hub/buses/serial-match.js'
import type { Find, Keys, ScanResult } from './find.js'

/** Ports of boards themselves: those of PCs are always listed, connected or not, and say nothing. */
const ON_BOARD = /^tty(AMA|SC|mxc|THS|O|SAC)\d+$/

/** Never throws. Nothing is opened: that would reset boards that start anew when their line is taken. */
export async function scanSerial(roots: SerialRoots): Promise<ScanResult> {
  const links = await stableLinks(roots.dev)
  const usb = await usbSerialPorts(roots)
  const finds: Find[] = usb.map(({ path, vid, pid, usbSerial, port }) => {
    const link = links.get(basename(path))
    const match: Keys = usbSerial === '' ? { port } : { usb_serial: usbSerial }
    const at: Keys = link === undefined ? { match } : { path: link }
    const what = `USB ${vid}:${pid}, serial ${usbSerial || 'none'}, socket ${port}`
    return serialFind(basename(path), what, at)
  })
  const nodes = (await readdir(roots.dev).catch(() => [])).filter((name) => ON_BOARD.test(name)).sort()
  for (const name of nodes) finds.push(serialFind(name, 'port of the board', { path: join(roots.dev, name) }))
  return { finds, problems: [] }
}

function serialFind(name: string, what: string, at: Keys): Find {
  const lines = { bus: { name, keys: { type: 'serial', ...at, baud: 9600 } } }
  return { id: name, kind: 'serial', what, certainty: 'possible', lines }
}

/** By the name of the node: links of udev that tell the adapter. */
async function stableLinks(dev: string): Promise<ReadonlyMap<string, string>> {
  const folder = join(dev, 'serial/by-id')
  const names = await readdir(folder).catch(() => [])
  const links = names.map(async (name) => [basename(await realpath(join(folder, name))), join(folder, name)] as const)
  return new Map((await Promise.allSettled(links)).flatMap((link) => (link.status === 'fulfilled' ? [link.value] : [])))
}
