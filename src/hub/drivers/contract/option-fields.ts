import type { z } from 'zod'
import type { CamelKeys } from '#core/options/camel-keys'
import * as fields from '#core/options/fields'

/** The kinds of values that options have; handed to drivers, so that one from outside needs no import. */
export type OptionFields = typeof fields
export const OPTION_FIELDS: OptionFields = fields

/** Options of a driver as a file writes them: snake_case keys, each with the kind of its value. */
export type OptionShape = Readonly<Record<string, z.ZodType>>

/** What a driver gets: the same with camelCase keys; absent when the file leaves it out and there is no default. */
export type OptionsOf<Shape extends OptionShape> = Given<CamelKeys<{ [Key in keyof Shape]: z.output<Shape[Key]> }>>

/** `{ a: A | undefined }` as `{ a?: A }`, to the depth of plain objects. */
export type Given<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [Key in keyof T as undefined extends T[Key] ? never : Key]: Given<T[Key]> } & {
        [Key in keyof T as undefined extends T[Key] ? Key : never]?: Given<Exclude<T[Key], undefined>>
      }
    : T
