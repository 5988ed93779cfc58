import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { ToParent } from '../host/parent-channel.js'

/** One of our programs as a child process: its latest figures, its end. */
export class ChildProgram<Figures> {
  readonly name: string
  readonly #child: ChildProcess
  #url: string | undefined
  #figures: Figures | undefined
  #errorText = ''

  /** @param module file of the program in `dist/` */
  constructor(name: string, module: string, args: readonly string[]) {
    this.name = name
    // Its own process group: Ctrl-C reaches the launcher only, which ends the children in order.
    this.#child = fork(module, [...args], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], detached: true })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#errorText = (this.#errorText + text).slice(-4000)
    })
    this.#child.on('message', (message: ToParent<Figures>) => {
      if (message.kind === 'ready') this.#url = message.url
      else this.#figures = message.figures
    })
  }

  get url(): string | undefined {
    return this.#url
  }

  get figures(): Figures | undefined {
    return this.#figures
  }

  /** What it wrote to standard error, at most the last 4000 characters. */
  get errorText(): string {
    return this.#errorText
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Resolves with the exit code; 1 for an end by signal. */
  async ended(): Promise<number> {
    if (!this.hasEnded) await once(this.#child, 'exit')
    return this.#child.exitCode ?? 1
  }

  /** Asks it to stop and waits; kills it when it has not by the deadline. */
  async stop(deadlineMs: number): Promise<number> {
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), deadlineMs)
    if (!this.hasEnded) this.#child.kill('SIGTERM')
    const code = await this.ended()
    clearTimeout(kill)
    return code
  }
}
