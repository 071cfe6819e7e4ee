/** HTML that is safe to put into a page as it is. */
export class Html {
  constructor (readonly text: string) {}
}

/** A piece of a page. Every value is escaped, unless it is such a piece (or a list of them) itself. */
export function html (pieces: TemplateStringsArray, ...values: unknown[]): Html {
  return new Html(String.raw({ raw: pieces }, ...values.map(textOf)))
}

function textOf (value: unknown): string {
  if (value instanceof Html) return value.text
  if (Array.isArray(value)) return value.map(textOf).join('')
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** The whole page. */
export function page (title: string, body: Html): string {
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<h1>${title}</h1>
${body}
</html>
`.text
}
