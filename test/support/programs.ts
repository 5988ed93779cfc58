import { spawnSync } from 'node:child_process'

/** Debian packages of each program that suites start. */
const PACKAGES = { 'redis-server': ['redis-server'], socat: ['socat'], gcc: ['gcc', 'libc6-dev'] } as const

export type Program = keyof typeof PACKAGES

/** Makes sure that the programs are on the PATH: installs them with apt-get when run as root, else says what to do. */
export function requirePrograms(programs: readonly Program[]): void {
  const missing = programs.filter((program) => !isOnPath(program))
  if (missing.length === 0) return
  const packages = missing.flatMap((program) => PACKAGES[program])
  if (process.getuid?.() === 0 && isOnPath('apt-get')) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    spawnSync('apt-get', ['update', '-qq'], { stdio: 'inherit', env })
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { stdio: 'inherit', env })
  }
  const still = missing.filter((program) => !isOnPath(program))
  if (still.length > 0) {
    throw new Error(`Missing ${still.join(', ')}: run "sudo apt-get install ${packages.join(' ')}" and try again.`)
  }
}

function isOnPath(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}
