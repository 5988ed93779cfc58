import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { repositoryFile } from '#test/support/repository'

/**
 * Compiles the shim. @returns the environment of a program whose I2C and SPI buses are those of the server
 *
 * @param directory for the library
 */
export function shimmed(directory: string, socketPath: string): Record<string, string> {
  return { LD_PRELOAD: compile(directory), BUS_SHIM_SOCKET: socketPath }
}

function compile(directory: string): string {
  const library = join(directory, 'bus-shim.so')
  const source = repositoryFile('test/hardware/shim/bus-shim.c')
  const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC']
  const { status, stderr } = spawnSync('gcc', [...flags, '-o', library, source, '-ldl', '-lpthread'], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`The shim does not compile: ${stderr}`)
  return library
}
