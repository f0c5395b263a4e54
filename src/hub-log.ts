/** Where a hub says what happens in it: a pino logger is one, and so is `console`. */
export type HubLog = Readonly<Record<'debug' | 'info' | 'warn' | 'error', (fields: object, message: string) => void>>
