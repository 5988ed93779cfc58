/** The word that processors leave in the store for hubs: how hard they are pressed. */
import type { PressureLevel } from '../policy/pressure.js'

/** Thread: whichever opened it. All calls throw `TLM_STREAM_UNAVAILABLE` when the store cannot be reached. */
export interface PressureSignal {
  /** Says the level; it is forgotten after `forMs`, so that one who died does not hold hubs back for ever. */
  write(level: PressureLevel, forMs: number): Promise<void>
  /** The level last said; `undefined` when nobody has said one in time, or a later version one unknown here. */
  read(): Promise<PressureLevel | undefined>
  close(): Promise<void>
}

/** A module that implements a store exports this as well. */
export interface PressureModule {
  openPressureSignal(options: unknown): Promise<PressureSignal>
}
