/** What a person sees of an HTML page: its forms. Enough for pages without scripts; not an HTML parser. */
export interface Form {
  readonly method: 'get' | 'post'
  readonly action: string
  readonly fields: readonly Field[]
  readonly buttons: readonly { readonly name: string; readonly value: string; readonly label: string }[]
}

export interface Field {
  readonly name: string
  readonly type: string
  readonly value: string
  readonly checked: boolean
}

export function readForms(html: string): Form[] {
  return [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, head = '', body = '']) => {
    const { method = 'get', action = '' } = attributes(head)
    return {
      method: method.toLowerCase() === 'post' ? 'post' : 'get',
      action,
      fields: inputs(body).filter(({ type, name }) => name !== '' && type !== 'submit'),
      buttons: buttons(body),
    }
  })
}

function inputs(html: string): Field[] {
  return [...html.matchAll(/<input\b([^>]*)>/gi)].map(([, head = '']) => {
    const { name = '', type = 'text', value = '', checked } = attributes(head)
    return { name, type: type.toLowerCase(), value, checked: checked !== undefined }
  })
}

function buttons(html: string): Form['buttons'] {
  const written = [...html.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/gi)].map(([, head = '', label = '']) => {
    const { name = '', value = '' } = attributes(head)
    return { name, value, label: label.replaceAll(/<[^>]*>/g, '').trim() }
  })
  const submits = inputs(html).filter(({ type }) => type === 'submit')
  return [...written, ...submits.map(({ name, value }) => ({ name, value, label: value }))]
}

function attributes(head: string): Record<string, string> {
  const found = head.matchAll(/([a-zA-Z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)
  return Object.fromEntries(
    [...found].map(([, name = '', double, single, bare]) => [
      name.toLowerCase(),
      unescapeText(double ?? single ?? bare ?? ''),
    ]),
  )
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescapeText(text: string): string {
  return text.replaceAll(
    /&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (hex) return String.fromCodePoint(Number.parseInt(hex, 16))
      if (decimal) return String.fromCodePoint(Number(decimal))
      return entities[name ?? ''] ?? whole
    },
  )
}
