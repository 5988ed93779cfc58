import type { Finding } from '#core/model/finding'

/** Findings as a processor's REST API gives them. */
export async function fetchFindings(url: string, query: Record<string, string> = {}): Promise<Finding[]> {
  const response = await fetch(`${url}/findings?${new URLSearchParams({ limit: '10000', ...query })}`)
  const body = (await response.json()) as { findings: Finding[]; error?: string }
  if (!response.ok) throw new Error(`${response.status}: ${body.error}`)
  return body.findings
}

/** All findings without what depends on how entries fell into runs: fit to compare two runs over the same batches. */
export async function comparableFindings(url: string): Promise<Map<string, unknown>> {
  const findings = await fetchFindings(url)
  const sorted = findings.sort((a, b) => (a.key < b.key ? -1 : 1))
  return new Map(sorted.map(({ key, batch: _, ...rest }) => [key, rest]))
}
