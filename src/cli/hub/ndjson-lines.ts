/** Longer lines are no lines of ours. */
const MAX_LINE_CHARACTERS = 2 ** 20

/** The lines of a text that comes in pieces; empty ones are left out, as is the rest of one that is far too long. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<{ text: string; isWhole: boolean }> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop()!.slice(0, MAX_LINE_CHARACTERS)
    for (const text of lines) if (text !== '') yield { text, isWhole: true }
  }
  rest += decoder.decode()
  if (rest !== '') yield { text: rest, isWhole: false }
}
