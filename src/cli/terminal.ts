/** Text for people: tables, ages, sizes, colours where the output is a terminal. */

/** Where a command writes, and what that can show. */
export interface Output {
  write(text: string): void
  /** Characters in a line; `undefined`: no terminal, nothing is cut or coloured. */
  columns: number | undefined
  hasColour: boolean
}

export function outputTo(stream: NodeJS.WriteStream, env: Readonly<Record<string, string | undefined>>): Output {
  const isTerminal = stream.isTTY === true
  return {
    write: (text) => void stream.write(text),
    columns: isTerminal ? stream.columns : undefined,
    hasColour: isTerminal && !env.NO_COLOR && env.TERM !== 'dumb',
  }
}

export interface Column {
  title: string
  align?: 'right'
  /** Left out, the rightmost first, where the last column would have too little room. */
  isOptional?: boolean
}

/** Narrower than that, the last column says nothing. */
const LEAST_ROOM = 36

/** Rows under titles; the last column is cut to what the line has left. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], output: Output): string {
  const cells = rows.map((row) => row.map(printable))
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...cells.map((row) => row[i].length)))
  // Of all columns but the last, with what parts them.
  const widthBefore = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0)
  const spare = columns.findLastIndex(({ isOptional }) => isOptional)
  if (spare >= 0 && output.columns !== undefined && output.columns - widthBefore < LEAST_ROOM) {
    const without = <T>(list: readonly T[]) => list.filter((_, i) => i !== spare)
    return table(without(columns), cells.map(without), output)
  }
  const last = columns.length - 1
  const room = output.columns === undefined ? undefined : Math.max(12, output.columns - widthBefore)
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => {
        if (i === last) return cutTo(cell, room)
        return columns[i].align === 'right' ? cell.padStart(widths[i]) : cell.padEnd(widths[i])
      })
      .join('  ')
      .trimEnd()
  const titles = line(columns.map(({ title }) => title))
  return [bold(titles, output), ...cells.map(line)].map((text) => `${text}\n`).join('')
}

/** Names and values below each other; values that are `undefined` are left out. */
export function facts(pairs: readonly (readonly [name: string, value: string | undefined])[], output: Output): string {
  const known = pairs.filter((pair): pair is [string, string] => pair[1] !== undefined)
  const width = Math.max(...known.map(([name]) => name.length))
  return known.map(([name, value]) => `${bold(name.padEnd(width), output)}  ${printable(value)}\n`).join('')
}

export function bold(text: string, { hasColour }: Output): string {
  return hasColour ? `\x1b[1m${text}\x1b[0m` : text
}

export function dim(text: string, { hasColour }: Output): string {
  return hasColour ? `\x1b[2m${text}\x1b[0m` : text
}

/** `12s ago`, `5m ago`, `3h ago`, `12d ago`. */
export function ago(ms: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - ms) / 1000))
  if (seconds < 120) return `${seconds}s ago`
  if (seconds < 7200) return `${Math.round(seconds / 60)}m ago`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)}h ago`
  return `${Math.round(seconds / 86_400)}d ago`
}

export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  if (bytes < 2 ** 20) return `${(bytes / 1024).toFixed(1)} KiB`
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`
}

/** `1 letter`, `12,345 letters`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`
}

/** Offset, 16 bytes in hexadecimal, the same as text: as `xxd` shows it. */
export function hexDump(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  let text = ''
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16)
    const pairs = (row.toString('hex').match(/.{1,4}/g) ?? []).join(' ')
    const letters = row.toString('latin1').replace(/[^ -~]/g, '.')
    text += `${at.toString(16).padStart(8, '0')}: ${pairs.padEnd(39)}  ${letters}\n`
  }
  return text
}

/** What came from a batch must not steer the terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is replaced.
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, ' ')
}

function cutTo(text: string, room: number | undefined): string {
  return room === undefined || text.length <= room ? text : `${text.slice(0, room - 1)}…`
}
