/** What is used of the native client, which need not be installed. */
declare module 'pulsar-client' {
  export interface ClientConfig {
    serviceUrl: string
    authentication?: AuthenticationToken
    operationTimeoutSeconds?: number
    connectionTimeoutMs?: number
    tlsTrustCertsFilePath?: string
    tlsValidateHostname?: boolean
  }

  export class Client {
    static setLogHandler(handler: (level: number, file: string, line: number, message: string) => void): void
    constructor(config: ClientConfig)
    createProducer(config: {
      topic: string
      sendTimeoutMs?: number
      maxPendingMessages?: number
      batchingEnabled?: boolean
    }): Promise<Producer>
    createReader(config: {
      topic: string
      startMessageId: MessageId
      receiverQueueSize?: number
      readerName?: string
    }): Promise<Reader>
    getPartitionsForTopic(topic: string): Promise<string[]>
    close(): Promise<null>
  }

  export class Producer {
    send(message: { data: Buffer; properties?: { [name: string]: string } }): Promise<MessageId>
    isConnected(): boolean
    close(): Promise<null>
  }

  export class Reader {
    readNext(timeoutMs?: number): Promise<Message>
    isConnected(): boolean
    close(): Promise<null>
  }

  export class Message {
    getProperties(): { [name: string]: string }
    getData(): Buffer
    getMessageId(): MessageId
    getPublishTimestamp(): number
  }

  export class MessageId {
    static earliest(): MessageId
    static latest(): MessageId
    static deserialize(data: Buffer): MessageId
    serialize(): Buffer
  }

  export class AuthenticationToken {
    constructor(params: { token: string })
  }

  const all: {
    Client: typeof Client
    MessageId: typeof MessageId
    AuthenticationToken: typeof AuthenticationToken
  }
  export default all
}
