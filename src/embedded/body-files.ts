import { readdirSync, rmSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Bodies of a shard's retries and dead letters, a file each: written before the step that names them, removed after the
 * step that does not any more. Thread: main.
 */
export class BodyFiles {
  readonly #folder: string
  readonly #prefix: string
  #count = 0

  /** @param token of the owner: no two write files of the same name */
  constructor(folder: string, token: number) {
    this.#folder = folder
    this.#prefix = `${token}-`
  }

  /** @returns the file's name */
  async write(body: Uint8Array): Promise<string> {
    const name = `${this.#prefix}${++this.#count}`
    await mkdir(this.#folder, { recursive: true })
    await writeFile(join(this.#folder, name), body)
    return name
  }

  async read(name: string): Promise<Uint8Array> {
    return new Uint8Array(await readFile(join(this.#folder, name)))
  }

  remove(names: Iterable<string>): void {
    for (const name of names) rmSync(join(this.#folder, name), { force: true })
  }

  /** Removes what killed owners wrote in vain. @param named files that rows name */
  removeOthers(named: ReadonlySet<string>): void {
    let names: string[]
    try {
      names = readdirSync(this.#folder)
    } catch {
      return
    }
    this.remove(names.filter((name) => !named.has(name)))
  }
}
