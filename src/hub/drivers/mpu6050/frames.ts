/** What stands before the frames of an acquisition, so that a recording decodes to the same ages. */
export interface FramesHeader {
  /** From the read of the FIFO's count to the end of the acquisition; 0..2^32-1. */
  readonly sinceCountUs: number
  /** Newer frames that were counted but left for the next acquisition; 0..65535. */
  readonly leftFrames: number
}

export const HEADER_BYTES = 6

export function packHeader({ sinceCountUs, leftFrames }: FramesHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, Math.min(sinceCountUs, 0xffffffff))
  view.setUint16(4, leftFrames)
  return bytes
}

export function unpackHeader(raw: Uint8Array): FramesHeader {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  return { sinceCountUs: view.getUint32(0), leftFrames: view.getUint16(4) }
}
