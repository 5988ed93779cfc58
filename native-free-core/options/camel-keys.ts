/** `max_in_flight` as a type: `maxInFlight`. */
export type Camel<Text extends string> = Text extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Text

/** The same object with camelCase keys, to the depth of its plain objects. */
export type CamelKeys<T> = T extends readonly (infer Item)[]
  ? CamelKeys<Item>[]
  : T extends object
    ? { [Key in keyof T as Key extends string ? Camel<Key> : Key]: CamelKeys<T[Key]> }
    : T

/** Files use snake_case, code camelCase: this is the one place where the two meet. Arrays and values stay as they are. */
export function camelKeys<T>(value: T): CamelKeys<T> {
  if (Array.isArray(value)) return value.map((item) => camelKeys(item)) as CamelKeys<T>
  if (typeof value !== 'object' || value === null) return value as CamelKeys<T>
  const entries = Object.entries(value).map(([key, item]) => [camel(key), camelKeys(item)] as const)
  return Object.fromEntries(entries) as CamelKeys<T>
}

function camel(key: string): string {
  return key.replace(/_([a-z\d])/g, (_, letter: string) => letter.toUpperCase())
}
