import { useEffect, useState } from 'preact/hooks';
import { ApiError, ask } from '../common/api.ts';
import type { Credentials } from '../common/session.ts';
import type { LoggedAlert } from './alert-log.ts';
import { BoxOverlay } from './box-overlay.tsx';
import { boxesOf } from './boxes.ts';
import type { PictureSize } from './jpeg-size.ts';
import { annotatedPicture } from './metadata.ts';

type Picture =
  | { kind: 'loading' }
  /** `isDrawnOver`: the service has drawn its boxes itself. */
  | { kind: 'loaded'; url: string; isDrawnOver: boolean }
  | { kind: 'missing'; words: string };

const NOT_KEPT = 'No picture was kept.';

/** The picture in which an alert was seen. It is loaded when this is shown. */
export function Evidence({ alert, credentials }: { alert: LoggedAlert; credentials: Credentials }) {
  const [picture, setPicture] = useState<Picture>({ kind: 'loading' });
  const [size, setSize] = useState<PictureSize | undefined>(undefined);
  const { id, hasPicture, metadata, severity, message } = alert;
  useEffect(() => {
    const annotated = annotatedPicture(metadata);
    if (annotated !== undefined) {
      setPicture({ kind: 'loaded', url: `data:image/jpeg;base64,${annotated}`, isDrawnOver: true });
      return undefined;
    }
    if (!hasPicture) {
      setPicture({ kind: 'missing', words: NOT_KEPT });
      return undefined;
    }
    const abort = new AbortController();
    let url: string | undefined;
    const load = async () => {
      try {
        const response = await ask(`api/alerts/${id}/frame.jpg`, { credentials, signal: abort.signal });
        const blob = await response.blob();
        if (abort.signal.aborted) return;
        url = URL.createObjectURL(blob);
        setPicture({ kind: 'loaded', url, isDrawnOver: false });
      } catch (error) {
        if (!abort.signal.aborted) setPicture({ kind: 'missing', words: wordsFor(error) });
      }
    };
    void load();
    return () => {
      abort.abort();
      if (url !== undefined) URL.revokeObjectURL(url);
    };
  }, [id, hasPicture, metadata, credentials]);

  if (picture.kind === 'loading') return <p class="muted">Loading the picture…</p>;
  if (picture.kind === 'missing') return <p class="muted">{picture.words}</p>;
  const boxes = picture.isDrawnOver ? [] : boxesOf(alert).map((box) => ({ ...box, severity }));
  return (
    <div class="evidence">
      <img
        src={picture.url}
        alt={`What the camera saw: ${message}`}
        onLoad={({ currentTarget: { naturalWidth: width, naturalHeight: height } }) => setSize({ width, height })}
        onError={() => setPicture({ kind: 'missing', words: 'The picture cannot be shown.' })}
      />
      {size !== undefined && boxes.length > 0 && <BoxOverlay boxes={boxes} size={size} labelShare={0.05} />}
    </div>
  );
}

function wordsFor(error: unknown): string {
  if (!(error instanceof ApiError)) return 'The picture could not be loaded: the router does not answer.';
  return error.status === 404 ? NOT_KEPT : `The picture could not be loaded: ${error.message}.`;
}
