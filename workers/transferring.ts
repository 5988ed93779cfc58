import { move, transferableSymbol, valueSymbol } from 'piscina'

/** Makes Piscina hand `buffers` inside `value` over to the main thread instead of copying them. */
export function transferring<Value>(value: Value, buffers: readonly ArrayBuffer[]): Value {
  if (buffers.length === 0) return value
  return move({ [transferableSymbol]: buffers, [valueSymbol]: value } as never) as unknown as Value
}
