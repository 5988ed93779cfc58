/** `node dist/bench/run.js [--short] [name...]`: runs the benchmarks whose file name contains one of the names. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { requirePrograms } from '#test/support/programs'
import type { Bench, BenchRow } from './bench.js'

const RESULTS = join(process.cwd(), 'bench-results')
const mode = process.argv.includes('--short') ? 'short' : 'full'
const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))

const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.bench.js'))
  .filter((file) => names.length === 0 || names.some((name) => file.includes(name)))
  .sort()
requirePrograms(['redis-server'])
if (files.length === 0) throw new Error(`No benchmark matches ${names.join(', ')}.`)

const results: Record<string, BenchRow[]> = {}
for (const file of files) {
  const { bench } = (await import(join(import.meta.dirname, file))) as { bench: Bench }
  console.log(`\n${bench.title}`)
  const rows = await bench.run(mode)
  results[file.replace(/\.bench\.js$/, '')] = rows
  for (const row of rows) console.log(formatRow(row))
}
mkdirSync(RESULTS, { recursive: true })
const machine = { node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length }
writeFileSync(join(RESULTS, 'results.json'), `${JSON.stringify({ mode, machine, results }, undefined, 2)}\n`)
console.log(`\nWritten to ${join('bench-results', 'results.json')}`)

function formatRow({ contender, value, unit, note }: BenchRow): string {
  const figure = value.toLocaleString('en-GB', { maximumFractionDigits: value < 100 ? 2 : 0 })
  return `  ${contender.padEnd(44)} ${figure.padStart(14)} ${unit.padEnd(14)} ${note ?? ''}`.trimEnd()
}
