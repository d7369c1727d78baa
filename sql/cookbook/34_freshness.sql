-- title: Up to when are the numbers complete?
-- Nothing older than the watermark is expected from any platform; what comes later all the same restates the past.
SELECT watermark, lag
FROM pipeline_watermark;
