import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

/**
 * A lock that its holder's end releases, however it ends: the file names the process and when it began, so that neither
 * a killed hub nor another process of the same number keeps it.
 */
export class SpoolLock {
  readonly #path: string
  readonly #content: string

  private constructor(path: string, content: string) {
    this.#path = path
    this.#content = content
  }

  /** @returns `undefined` while a living process holds it @throws errors of the file system */
  static take(path: string): SpoolLock | undefined {
    const content = `${process.pid} ${beginOf(process.pid) ?? ''} ${randomUUID()}`
    const draft = `${path}.${randomUUID()}`
    writeFileSync(draft, content)
    try {
      for (let tries = 0; tries < 3; tries++) {
        if (linkOnce(draft, path)) return new SpoolLock(path, content)
        const holder = read(path)
        if (holder === undefined) continue
        if (isHeld(holder)) return undefined
        removeIf(path, holder)
      }
      return undefined
    } finally {
      rmSync(draft, { force: true })
    }
  }

  /** Whether a living process holds it. */
  static isTaken(path: string): boolean {
    const holder = read(path)
    return holder !== undefined && isHeld(holder)
  }

  release(): void {
    if (read(this.#path) === this.#content) rmSync(this.#path, { force: true })
  }
}

function isHeld(holder: string): boolean {
  const [pid, begin] = holder.split(' ')
  if (!/^\d+$/.test(pid)) return false
  const now = beginOf(Number(pid))
  if (now !== undefined) return begin === '' || begin === now
  // Without /proc: any process of that number counts.
  return begin === '' && isAlive(Number(pid))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Boot and start time of a process, which nothing else has; `undefined`: no such process, or no /proc. */
function beginOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    // Behind the name, which may have blanks: state is field 3, the start time field 22.
    return `${boot}:${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  } catch {
    return undefined
  }
}

/** Removes the file if it still says that; two that remove at once do not remove what a third has put there. */
function removeIf(path: string, content: string): void {
  const aside = `${path}.${randomUUID()}`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  if (read(aside) !== content) linkOnce(aside, path)
  rmSync(aside, { force: true })
}

function linkOnce(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
