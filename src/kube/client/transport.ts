// How requests reach an API server: over a connection (http2-transport.ts), or straight into the
// handler of one in the same process (bin/local-transport.ts).

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS';
  /** With its query. */
  readonly path: string;
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
  readonly accept?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface ApiResponse {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  /** When the server says so. */
  readonly retryAfterSeconds?: number | undefined;
}

export interface Transport {
  /** Rejects with Fault `api-unreachable` when there was no whole answer. */
  send(request: ApiRequest, signal?: AbortSignal): Promise<ApiResponse>;
  /**
   * Gives the pieces of a successful answer as they come and resolves at its end (with undefined);
   * an answer of another status is read whole and returned.
   */
  stream(
    request: ApiRequest,
    onText: (text: string) => void,
    signal: AbortSignal,
  ): Promise<ApiResponse | undefined>;
  close(): Promise<void>;
}
