import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ToParent } from '#src/host/parent-channel'
import type { HubFigures } from '#src/hub/hub-figures'
import type { ProcessorFigures } from '#src/processor/processor-figures'
import { repositoryFile } from './repository.js'

/** The real `dist/hub.js` or `dist/processor.js` as a process of its own, with its figures as they come. */
export class TestProgram<Figures> {
  readonly #child: ChildProcess
  readonly #ended: Promise<number | undefined>
  #url: string | undefined
  #figures: Figures | undefined
  #output = ''
  #onChange = () => {}

  /** @param cwd working directory; this process's own when absent */
  constructor(file: string, args: readonly string[], env: Readonly<Record<string, string>>, cwd?: string) {
    const base = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
    this.#child = fork(repositoryFile(`dist/${file}`), [...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...base, ...env },
      ...(cwd !== undefined && { cwd }),
    })
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-200_000)
      })
    }
    this.#child.on('message', (message: ToParent<Figures>) => {
      if (message.kind === 'ready') this.#url = message.url
      else this.#figures = message.figures
      this.#onChange()
    })
    this.#ended = once(this.#child, 'exit').then(([code]) => {
      this.#onChange()
      return code as number | undefined
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  get output(): string {
    return this.#output
  }

  /** The newest figures; `undefined` before the first. */
  get figures(): Figures | undefined {
    return this.#figures
  }

  /** Resolves with the URL of its REST API once the program says that it is ready. */
  async ready(): Promise<string> {
    await this.#until('ready', () => this.#url !== undefined, 15_000)
    return this.#url!
  }

  /** Resolves with the first figures that satisfy the condition. */
  async reaches(what: string, condition: (figures: Figures) => boolean, deadlineMs = 30_000): Promise<Figures> {
    await this.#until(what, () => this.#figures !== undefined && condition(this.#figures), deadlineMs)
    return this.#figures!
  }

  /** Exit code; `undefined` when a signal ended it. */
  ended(): Promise<number | undefined> {
    return this.#ended
  }

  /** SIGTERM and the orderly end. @returns the last figures */
  async stop(): Promise<Figures> {
    this.#child.kill('SIGTERM')
    await this.#ended
    return this.#figures!
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #until(what: string, isMet: () => boolean, deadlineMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => {
        const figures = JSON.stringify(this.#figures)
        reject(new Error(`"${what}": ${why}. Figures: ${figures}. Output: ${this.#output.slice(-3000)}`))
      }
      const timer = setTimeout(() => fail(`not met in ${deadlineMs} ms`), deadlineMs)
      const look = () => {
        const met = isMet()
        if (!met && this.#child.exitCode === null && this.#child.signalCode === null) return
        clearTimeout(timer)
        this.#onChange = () => {}
        if (met) resolve()
        else fail(`the program ended with ${this.#child.exitCode ?? this.#child.signalCode}`)
      }
      this.#onChange = look
      look()
    })
  }
}

/** The hub, with a spool of its own that goes with it unless `SPOOL_DIR` names one. */
export function runHub(args: readonly string[], env: Readonly<Record<string, string>> = {}): TestProgram<HubFigures> {
  const spool = join(tmpdir(), `telemetryhub-spool-${randomUUID()}`)
  const hub = new TestProgram<HubFigures>('hub.js', ['--port', '0', ...args], { SPOOL_DIR: spool, ...env })
  void hub.ended().then(() => rm(spool, { recursive: true, force: true }))
  return hub
}

export function runProcessor(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): TestProgram<ProcessorFigures> {
  return new TestProgram('processor.js', ['--port', '0', ...args], env)
}
